"""Servers over streamable HTTP."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.mcp.bench import PATIENCE
from tests.mcp.conftest import Open
from tests.packaging.checkout import ROOT
from tools.toolbox import Failed, Succeeded

TOKEN = "token-3141592653"


@asynccontextmanager
async def serving(folder: Path, port: str = "0") -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The unruly server on a port, until the block ends."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.mcp.unruly", str(folder), port),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "UNRULY_TOKEN": TOKEN},
        cwd=ROOT,
    )
    assert program.stdout is not None
    try:
        port = (await program.stdout.readline()).decode().strip()
        yield f"http://127.0.0.1:{port}/mcp", program
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()


def at(url: str, **headers: str) -> dict[str, Any]:
    """How a server at an address is configured."""
    return {"unruly": {"url": url, "headers": headers or {"Authorization": "Bearer ${UNRULY_TOKEN}"}}}


async def test_tools_over_http(opened: Open, folder: Path) -> None:
    """Tools, arguments, failures, the idempotency key and the secrecy of headers are as with a program."""
    async with serving(folder) as (url, _):
        bench = await opened(at(url))
        assert isinstance(await bench.run("unruly__repeat", word="hello"), Succeeded)
        assert bench.lines("called-repeat") == ["key-1"]
        assert await bench.run("unruly__fail") == Failed("error", "there is no more milk")
        spilt = await bench.run("unruly__spill")
        assert isinstance(spilt, Succeeded)
        assert TOKEN not in spilt.result[0]["text"]
        assert "word" in bench.problem("unruly__repeat", {"word": "NOT LOWER"})


async def test_a_call_over_http_is_called_off(opened: Open, folder: Path) -> None:
    """A call that nobody waits for ends at the server too."""
    async with serving(folder) as (url, _):
        bench = await opened(at(url))
        call = asyncio.create_task(bench.run("unruly__hang"))
        await bench.until_noted("hangs")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await bench.until_noted("called-off")


async def test_an_http_server_that_dies(opened: Open, folder: Path) -> None:
    """Of a call under which it dies nobody knows what became; after that its tools are away."""
    async with serving(folder) as (url, program):
        bench = await opened(at(url))
        died = await bench.run("unruly__die")
        await program.wait()
        assert isinstance(died, Failed)
        assert died.happened is None
        again = await bench.run("unruly__repeat", word="a")
        assert isinstance(again, Failed)
        assert (again.kind, again.happened) == ("unavailable", False)


async def test_an_http_server_that_comes_back(opened: Open, folder: Path) -> None:
    """A server that was restarted at its address is connected to again, without its old session."""
    async with serving(folder) as (url, _):
        bench = await opened(at(url))
    again = await bench.run("unruly__repeat", word="a")
    assert isinstance(again, Failed)
    assert again.kind == "unavailable"
    async with serving(folder, url.split(":")[2].removesuffix("/mcp")):
        async with asyncio.timeout(PATIENCE):
            while not isinstance(await bench.run("unruly__repeat", word="b"), Succeeded):
                await asyncio.sleep(0.05)


async def test_an_http_server_that_refuses(opened: Open, folder: Path) -> None:
    """A server that does not let us in is named, and its tools are not there."""
    async with serving(folder) as (url, _):
        bench = await opened(at(url, Authorization="Bearer wrong-token-1"))
        assert bench.workbench.terms(None) == ()
        assert "unruly" in bench.source.problems()
