"""A process that has imported what commands need, and that forks one for each command line.

To import takes a command most of its time, and tests run commands by the hundred. Each fork is a process of its own all
the same: with its arguments, environment, folder, streams and end. Whoever tests a start, a signal or a terminal starts
one from nothing.
"""

import asyncio
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Never

ROOT = Path(__file__).parents[2]
HEAVY = ("client", "worker", "llm.anthropic", "notices.office", "budgets.postgres", "ledger.book")
"""What commands import besides the modules of `cli`."""


@dataclass(frozen=True)
class Nursery:
    """The way to the process."""

    address: str

    async def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, patience: float
    ) -> tuple[int, str, str]:
        """Run a command to its end: its exit code (negative: a signal's), stdout and stderr.

        It is killed, and a `TimeoutError` raised, after `patience` seconds.
        """
        with TemporaryFile("w+") as asked, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
            json.dump([list(arguments), dict(environment), str(folder)], asked)
            asked.flush()
            code = await _awaited(self._connected([each.fileno() for each in (asked, out, err)]), patience)
            return code, _whole(out.fileno()), _whole(err.fileno())

    def _connected(self, files: Sequence[int]) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.address)
        socket.send_fds(connection, [b"."], files)
        return connection


async def _awaited(connection: socket.socket, patience: float) -> int:
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    try:
        process = int(await reader.readline())
        try:
            return int(await asyncio.wait_for(reader.readline(), patience))
        except TimeoutError:
            os.kill(process, signal.SIGKILL)
            raise
    finally:
        writer.close()
        await writer.wait_closed()


def _whole(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode()


@contextmanager
def nursery(environment: Mapping[str, str]) -> Iterator[Nursery]:
    """The process, for the block's duration; commands are given environments of their own."""
    with TemporaryDirectory(prefix="perdure-") as folder:
        address = str(Path(folder, "socket"))
        command = (sys.executable, "-m", __name__, address)
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline(), "it has said why on stderr"
            yield Nursery(address)
            process.communicate()  # closes its stdin, which ends it


def _serve(listener: socket.socket) -> None:
    """Fork for whoever asks, until whoever started us lets go of our stdin."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that those who attend leave nothing behind
    while sys.stdin not in (ready := select.select([listener, sys.stdin], [], [])[0]):
        assert ready == [listener]
        asking, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _attend(asking)
        asking.close()


def _attend(asking: socket.socket) -> Never:
    """Fork the command, and tell who it is and how it has ended: only a parent learns that."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(asking, 1, 3)
    process = os.fork()
    if process == 0:
        asking.close()
        _become(*files)
    asking.sendall(b"%d\n" % process)
    _, status = os.waitpid(process, 0)
    asking.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(asked: int, out: int, err: int) -> None:
    import client  # noqa: PLC0415 - whoever only asks for commands needs none of it

    for ours, given in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(given, ours)
    with open(asked, encoding="utf-8") as file:
        file.seek(0)
        arguments, environment, folder = json.load(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["perdure", *arguments]
    client.main()


def _import_all() -> None:
    import cli  # noqa: PLC0415 - see above

    for name in (*HEAVY, *(each.name for each in pkgutil.walk_packages(cli.__path__, "cli."))):
        import_module(name)


if __name__ == "__main__":
    _import_all()
    with socket.socket(socket.AF_UNIX) as here:
        here.bind(sys.argv[1])
        here.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        _serve(here)
