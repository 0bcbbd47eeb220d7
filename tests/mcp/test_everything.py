"""The reference server that does everything the protocol has, from npm, over both transports."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stack.npm import find_npm
from stack.ports import free_port
from tests.mcp.bench import McpBench
from tests.mcp.conftest import Open
from tests.packaging.checkout import ROOT
from tools.toolbox import Failed, Succeeded

LOCKED = ROOT / "tests" / "mcp" / "everything"
"""The package and all it needs, pinned by their checksums and without addresses: `npm ci` takes nothing else."""
PROGRAM = Path("node_modules", "@modelcontextprotocol", "server-everything", "dist", "index.js")
SECRET = "secret-2718281828"


@asynccontextmanager
async def running(*command: str, folder: Path, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program, until the block ends."""
    program = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield program
    finally:
        if program.returncode is None:
            program.kill()
        await program.communicate()


async def installed(folder: Path) -> tuple[str, str]:
    """Node, and the server's program, installed there."""
    shutil.copy(LOCKED / "package.json", folder)
    shutil.copy(LOCKED / "locked.json", folder / "package-lock.json")
    npm = await find_npm(folder)
    async with running(*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder) as installing:
        _, said = await installing.communicate()
        assert installing.returncode == 0, said.decode()
    return shutil.which("node") or npm[0], str(folder / PROGRAM)


async def used(bench: McpBench) -> None:
    """Use what the server has: text, structure, an image, resources, a long call with progress, its mistakes."""
    echoed = await bench.run("everything__echo", message="hello")
    assert isinstance(echoed, Succeeded)
    assert echoed.result[0]["text"] == "Echo: hello"
    summed = await bench.run("everything__get-sum", a=2, b=3)
    assert isinstance(summed, Succeeded)
    assert "5" in summed.result[0]["text"]
    assert "is not of type 'number'" in bench.problem("everything__get-sum", {"a": "two", "b": 3})
    image = await bench.run("everything__get-tiny-image")
    assert isinstance(image, Succeeded)
    assert "image" in [block["type"] for block in image.result]
    long = await bench.run("everything__trigger-long-running-operation", duration=1, steps=2)
    assert isinstance(long, Succeeded)
    assert "2 of 2" in bench.heard
    bench.heard.clear()
    wrong = await bench.run("everything__get-resource-reference", resourceType="Text", resourceId=-1)
    assert isinstance(wrong, Failed)


@pytest.mark.timeout(240)
async def test_everything_over_both_transports(opened: Open, tmp_path: Path) -> None:
    """The server's tools do the same as a program and over HTTP; the secret in its environment is masked."""
    folder = tmp_path / "everything"
    folder.mkdir()
    node, program = await installed(folder)
    env = {"SECRET_KEY": "${SECRET}"}
    bench = await opened({"everything": {"command": node, "args": [program], "env": env}}, SECRET=SECRET)
    await used(bench)
    spilt = await bench.run("everything__get-env")
    assert isinstance(spilt, Succeeded)
    assert "[secret SECRET]" in str(spilt.result)
    assert SECRET not in str(spilt.result)
    port = str(free_port())
    async with running(node, program, "streamableHttp", folder=folder, PORT=port) as serving:
        assert serving.stderr is not None
        while port not in (await serving.stderr.readline()).decode():
            assert serving.returncode is None
        await used(await opened({"everything": {"url": f"http://127.0.0.1:{port}/mcp"}}))
