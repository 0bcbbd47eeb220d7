"""What tools did to the world, one durable line each, whatever became of the process that did it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

What = Literal["began", "acted"]


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


class Ledger:
    """A file to which any number of processes append."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ledger.jsonl"

    def write(self, line: Line) -> None:
        """Append the line, whole, and return when it would outlive the machine."""
        file = os.open(self._file, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.write(file, json.dumps(asdict(line)).encode() + b"\n")
            os.fsync(file)
        finally:
            os.close(file)

    def lines(self, what: What, thread: str, call: str | None = None) -> list[Line]:
        """All lines of this kind about a thread, or one call of it, in order."""
        if not self._file.exists():
            return []
        found = [Line(**json.loads(text)) for text in self._file.read_text().splitlines()]
        return [each for each in found if (each.what, each.thread) == (what, thread) and call in {None, each.call}]


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
