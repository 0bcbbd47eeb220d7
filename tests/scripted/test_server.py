"""The server as a part of a test, and as a process."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anthropic
import httpx2
import pytest

from stack.scripted import Reply, ScriptedServer, Stalled
from tests.scripted.asking import asked, talking_to

CHECKOUT = Path(__file__).parents[2]


async def test_a_stopped_server_leaves_its_port() -> None:
    """After the block nobody listens any more, and another server may."""
    async with talking_to(lambda _: Reply.text("hi")) as talk:
        await talk.whole("hello")
        url = talk.server.url
    port = int(url.rsplit(":", 1)[1])
    async with ScriptedServer(lambda _: Reply.text("ho"), port) as server:
        assert server.url == url


async def test_stopping_cuts_what_is_open() -> None:
    """A stream in its silence does not hold up the end, and its client notices."""
    async with ScriptedServer(lambda _: Stalled(3, seconds=600)) as server:
        client = anthropic.AsyncAnthropic(base_url=server.url, api_key="key", max_retries=0)
        async with client:
            stream = await client.messages.create(**asked("hello", {}), stream=True)
            await server.stop()
            with pytest.raises(httpx2.RemoteProtocolError):
                [event async for event in stream]
    assert server.requests[0].outcome == "cut"


async def test_a_taken_port_is_an_error_of_the_system() -> None:
    """The caller learns at once that the port is taken."""
    async with ScriptedServer(lambda _: Reply.text("hi")) as server:
        port = int(server.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            await ScriptedServer(lambda _: Reply.text("hi"), port).start()


@asynccontextmanager
async def standalone(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The server as a process, and its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stack.scripted", *arguments),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        yield process, line.rsplit(" ", 1)[-1].strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_ends_cleanly_when_told_to(name: signal.Signals) -> None:
    """It serves, and on the signal it ends with exit code 0 and no complaint, in the middle of a stream too."""
    async with standalone("--port", "0", "--pace", "30") as (process, url):
        client = anthropic.AsyncAnthropic(base_url=url, api_key="key", max_retries=0)
        async with client:
            stream = await client.messages.create(**asked("hello", {}), stream=True)
            process.send_signal(name)
            _, complaints = await process.communicate()
            await stream.close()
    assert (process.returncode, complaints) == (0, b"")


async def test_a_process_plays_a_script(tmp_path: Path) -> None:
    """Conversations of the script are played, others are the default mind's."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"hello": [{"text": "from the script"}]}))
    async with (
        standalone("--pace", "0", "--script", str(script)) as (_, url),
        anthropic.AsyncAnthropic(base_url=url, api_key="key") as client,
    ):
        written = await client.messages.create(**asked("hello", {}))
        other = await client.messages.create(**asked("who are you?", {}))
    assert written.content[0].text == "from the script"
    assert "scripted model" in other.content[0].text


async def test_a_wrong_script_is_explained(tmp_path: Path) -> None:
    """The process says what is wrong and ends with exit code 2."""
    script = tmp_path / "script.json"
    script.write_text('{"hello": [{"fault": 1}]}')
    async with standalone("--script", str(script)) as (process, _):
        _, complaints = await process.communicate()
    assert process.returncode == 2
    assert b"'hello', reply 1, fault: Input should be greater than or equal to 400" in complaints
    assert b"Traceback" not in complaints


async def test_a_taken_port_is_explained() -> None:
    """The process says that it cannot listen and ends with exit code 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with standalone("--port", str(taken.getsockname()[1])) as (process, _):
            _, complaints = await process.communicate()
    assert process.returncode == 1
    assert complaints.startswith(b"cannot listen on 127.0.0.1:")
