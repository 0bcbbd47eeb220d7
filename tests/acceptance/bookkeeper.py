"""The process that keeps the ledger: what it has confirmed stands on the disk, whoever dies.

It ends when the process that started it does, however that ends.
"""

import asyncio
import os
import socketserver
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.acceptance.ledger import Ledger

ROOT = Path(__file__).parents[2]


class Bookkeeper(socketserver.ThreadingTCPServer):
    """Takes one line from each connection."""

    daemon_threads = True

    def __init__(self, file: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Entry)
        self._file = os.open(file, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
        self._writing = threading.Lock()

    def enter(self, line: bytes) -> None:
        """Append the line, and return when it would outlive the machine."""
        with self._writing:
            os.write(self._file, line)
            os.fsync(self._file)


class _Entry(socketserver.StreamRequestHandler):
    server: Bookkeeper

    def handle(self) -> None:
        """Enter a line and confirm it. Of one that breaks off nothing is entered: whoever wrote it has not acted."""
        line = self.rfile.readline()
        if line.endswith(b"\n"):
            self.server.enter(line)
            self.wfile.write(b"\n")


@asynccontextmanager
async def kept(ledger: Ledger) -> AsyncIterator[None]:
    """A bookkeeper keeps this ledger for the block's duration."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.acceptance.bookkeeper", str(ledger.file)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ledger.port.write_bytes(await process.stdout.readline())
        yield
    finally:
        process.stdin.close()
        await process.wait()


def main(file: Path) -> None:
    """Keep the ledger until whoever reads our words is gone."""
    with Bookkeeper(file) as bookkeeper:
        threading.Thread(target=bookkeeper.serve_forever, daemon=True).start()
        sys.stdout.write(f"{bookkeeper.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        bookkeeper.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
