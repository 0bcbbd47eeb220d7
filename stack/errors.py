"""What can keep the embedded system from standing.

    StackError
    ├── MissingPart         a program or package is not there
    │   └── WrongChecksum   … or is not the one it claims to be
    ├── DataFolderUnusable  a folder cannot be written, is full, or belongs to another version
    ├── PortTaken           another program listens where a server must
    ├── CannotStart         the operating system refuses to start a server
    ├── ServerDied          a server ended, or never became ready
    ├── MessageDbUnusable   the database cannot be reached, or Message DB cannot be installed there
    └── StackBusy           another process has been starting or stopping it for too long

Each says in its words what to do about it.
"""

from pathlib import Path

from stack.log import tail


class StackError(Exception):
    """The embedded system cannot stand."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}".strip())
        self.problem = problem
        self.remedy = remedy


class MissingPart(StackError):
    """A program or package is not there."""

    def __init__(self, part: str, remedy: str, why: str = "is missing.") -> None:
        super().__init__(f"{part} {why}", remedy)
        self.part = part


class WrongChecksum(MissingPart):
    """A package is not the one it claims to be."""


class DataFolderUnusable(StackError):
    """A folder cannot be written, is full, or belongs to another version."""

    def __init__(self, folder: Path, why: str, remedy: str = "") -> None:
        super().__init__(
            f"The folder {folder} cannot be used: {why}.",
            remedy or "Make it writable, free some space, or set PERDURE_HOME to another folder.",
        )
        self.folder = folder


class PortTaken(StackError):
    """Another program listens where a server must."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(
            f"{name} cannot listen on port {port}: another program does.",
            "Stop that program, or run `perdure down` and `perdure up`: free ports are chosen then.",
        )
        self.port = port


class CannotStart(StackError):
    """The operating system refuses to start a server."""

    def __init__(self, name: str, why: OSError) -> None:
        super().__init__(f"{name} cannot be started: {why}.", "Reinstall the packages (`make setup`), then try again.")


class ServerDied(StackError):
    """A server ended, or never became ready."""

    def __init__(self, name: str, log: Path, how: str = "ended") -> None:
        super().__init__(
            f"{name} {how}. The last lines of its log:\n{tail(log) or '(nothing)'}\n",
            f"The whole log is {log}. `perdure doctor` looks for the usual causes.",
        )
        self.name = name
        self.log = log


class MessageDbUnusable(StackError):
    """The database cannot be reached, or Message DB cannot be installed there."""


class StackBusy(StackError):
    """Another process has been starting or stopping the system for too long."""

    def __init__(self, lock: Path, seconds: float) -> None:
        super().__init__(
            f"Another process has held {lock} for {seconds:.0f} seconds.",
            "Wait for its `perdure up` or `perdure down` to end, or end that process, then try again.",
        )
