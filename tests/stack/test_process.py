"""A server's process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stack.errors import CannotStart, DataFolderUnusable, PortTaken, ServerDied
from stack.ports import LOOPBACK, Ports, free_port, is_free
from stack.process import LOG_LIMIT, ServerProcess
from stack.server import require_free, until_ready

STUBBORN = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
)


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A process that has not been started."""
    new = ServerProcess("The server", tmp_path / "run" / "pid", tmp_path / "logs" / "log")
    yield new
    await new.stop(signal.SIGKILL)


def sleeper(process: ServerProcess) -> None:
    """Start something that waits."""
    process.spawn(["sleep", "60"], env=os.environ)


async def until_logged(process: ServerProcess, word: str) -> None:
    """Wait for a word in the log."""
    async with asyncio.timeout(30):
        while word not in process.log.read_text():
            await asyncio.sleep(0.02)


async def test_it_is_its_own_session(process: ServerProcess) -> None:
    """A Ctrl-C at the terminal does not reach a server."""
    sleeper(process)
    assert process.pid is not None
    assert os.getsid(process.pid) == process.pid


async def test_another_home_does_not_take_it_over(process: ServerProcess, tmp_path: Path) -> None:
    """The same command is not enough to be taken for one's own."""
    sleeper(process)
    assert process.adopt(["sleep", "60"])
    assert not ServerProcess("The server", tmp_path / "other", tmp_path / "log").adopt(["sleep", "60"])


async def test_one_that_does_not_listen_is_killed(process: ServerProcess) -> None:
    """A server that ignores the request to end is ended."""
    process.spawn([sys.executable, "-c", STUBBORN], env=os.environ)
    await until_logged(process, "deaf")
    await process.stop(patience=0.1)
    assert process.pid is None


async def test_a_program_that_is_not_there_is_named(process: ServerProcess) -> None:
    """The operating system's reason is in the error."""
    with pytest.raises(CannotStart, match="/no/program"):
        process.spawn(["/no/program"], env=os.environ)


async def test_one_that_ends_at_once_leaves_its_last_words(process: ServerProcess) -> None:
    """The end of its log is in the error."""
    process.spawn([sys.executable, "-c", "print('no room for me')"], env=os.environ)

    async def never() -> bool:
        return False

    with pytest.raises(ServerDied, match="no room for me"):
        await until_ready(process, never, 60)


async def test_a_record_that_cannot_be_kept_leaves_no_process(process: ServerProcess, tmp_path: Path) -> None:
    """A server that could not be found again is not left running."""
    (tmp_path / "run" / "pid").mkdir(parents=True)
    with pytest.raises(DataFolderUnusable):
        sleeper(process)
    assert not process.adopt(["sleep", "60"])
    (tmp_path / "run" / "pid").rmdir()


async def test_a_long_log_is_put_aside(process: ServerProcess) -> None:
    """A log begins anew when it has grown too long, and one older is kept."""
    process.log.parent.mkdir()
    process.log.write_bytes(b"x" * (LOG_LIMIT + 1))
    sleeper(process)
    assert process.log.stat().st_size == 0
    assert process.log.with_suffix(".old.log").stat().st_size == LOG_LIMIT + 1


async def test_ports_are_remembered(tmp_path: Path) -> None:
    """A name keeps its port, also in another process, until it is given another."""
    file = tmp_path / "ports"
    port = Ports(file).get("a")
    assert Ports(file).get("b") != port
    assert Ports(file).get("a") == port
    Ports(file).replace(port)
    assert Ports(file).get("a") != port


async def test_a_port_is_free_until_somebody_listens() -> None:
    """A listener is noticed, and named with the server that cannot have its port."""
    port = free_port()
    require_free("The server", port)
    listener = await asyncio.start_server(lambda _reader, writer: writer.close(), LOOPBACK, port)
    async with listener:
        assert not is_free(port)
        with pytest.raises(PortTaken, match=f"The server cannot listen on port {port}"):
            require_free("The server", port)
