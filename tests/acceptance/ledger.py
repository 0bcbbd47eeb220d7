"""What tools did to the world, one durable line each, whatever became of the process that did it.

A tool tells the bookkeeper, a process of its own that nobody kills; what stands in its file has happened.
"""

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from stack.ports import LOOPBACK

What = Literal["began", "acted"]


class NobodyKeepsTheLedger(Exception):
    """The bookkeeper did not confirm a line: it may stand in the ledger or not."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing a tool did."""

    what: What
    """`acted` is the effect itself."""
    tool: str
    thread: str
    call: str
    key: str
    """The idempotency key the tool was given."""
    pid: int
    said: str = ""
    """The arguments, where the tool tells them: canonical JSON."""


class Ledger:
    """The bookkeeper's file, and the way to the bookkeeper."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "ledger.jsonl"
        self.port = folder / "ledger.port"

    def write(self, line: Line) -> None:
        """Have the line written, and return when it would outlive the machine. Raises `NobodyKeepsTheLedger`."""
        with socket.create_connection((LOOPBACK, int(self.port.read_text()))) as bookkeeper:
            bookkeeper.sendall(json.dumps(asdict(line)).encode() + b"\n")
            if bookkeeper.recv(1) != b"\n":
                raise NobodyKeepsTheLedger(f"{self.file} may lack {line}")

    def lines(self, what: What, thread: str, call: str | None = None) -> list[Line]:
        """All lines of this kind about a thread, or one call of it, in order."""
        found = [each for each in self.all() if (each.what, each.thread) == (what, thread)]
        return [each for each in found if call in {None, each.call}]

    def all(self) -> list[Line]:
        """Every line, in order."""
        if not self.file.exists():
            return []
        whole = self.file.read_text().rpartition("\n")[0]
        return [Line(**json.loads(text)) for text in whole.splitlines()]


class Gates:
    """Where a held call waits until a test lets it pass."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, call: str) -> None:
        """Let the call pass, now and whenever it is made again."""
        (self._folder / f"{call}.gate").touch()

    def is_open(self, call: str) -> bool:
        """Whether the call may pass."""
        return (self._folder / f"{call}.gate").exists()
