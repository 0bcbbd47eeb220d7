"""What a process can still do behind the walls: it stands in for an interpreter that has been broken out of."""

import ctypes
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.sandbox import walls


def main(inside: str, outside: str) -> None:
    """Raise the walls around a folder, try everything, and tell which walls stand and what was refused."""
    parent = os.getppid()
    listening = socket.socket()  # opened before, as anything inherited would be
    attempts: dict[str, Callable[[], object]] = {
        "read inside": lambda: Path(inside, "own").read_text(),
        "read outside": lambda: Path(outside).read_text(),
        "read by a link": lambda: Path(inside, "link").read_text(),
        "list outside": lambda: list(Path(outside).parent.iterdir()),
        "own environment": lambda: Path("/proc/self/environ").read_bytes(),
        "the parent's environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "write inside": lambda: Path(inside, "new").write_text("x"),
        "write outside": lambda: Path(outside).write_text("x"),
        "remove outside": lambda: Path(outside).unlink(),
        "signal the parent": lambda: os.kill(parent, 0),
        "new socket": lambda: socket.socket().close(),
        "local socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "leave the group": os.setsid,
        "new namespace": lambda: _called("unshare", 0x10000000),
        "too much memory": lambda: mmap.mmap(-1, 8 << 30),
        "connect": lambda: listening.connect(("127.0.0.1", 9)),
        "trace the parent": lambda: _called("ptrace", 16, parent, 0, 0),
        "read the parent's memory": lambda: _called("process_vm_readv", parent, None, 0, None, 0, 0),
    }
    walls.bound_resources(10, 4 << 30)
    stand = walls.close([Path("/usr"), Path("/lib"), Path("/lib64"), Path(sys.base_prefix), Path(inside)])
    sys.stdout.write(json.dumps({"walls": stand, "refused": dict(_refused(attempts))}))


def _called(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _refused(attempts: dict[str, Callable[[], object]]) -> Iterator[tuple[str, str]]:
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError as error:
            yield name, type(error).__name__


if __name__ == "__main__":
    main(*sys.argv[1:])
