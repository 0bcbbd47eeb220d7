"""Loopback ports: chosen free once, remembered, and kept for as long as nobody else takes them."""

import json
import secrets
import socket
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from stack.files import write_private

LOOPBACK = "127.0.0.1"
FIRST, LAST = 15_000, 32_000
"""Below the range from which operating systems take ports for outgoing connections."""

_Numbers = TypeAdapter(dict[str, int])


def is_free(port: int) -> bool:
    """Whether nobody listens there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port on which nobody listens now."""
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST)
        if is_free(port):
            return port


class Ports:
    """The ports this folder's servers have been given."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def _read(self) -> dict[str, int]:
        try:
            return _Numbers.validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return {}

    def get(self, name: str) -> int:
        """The port of that name, chosen now if there is none."""
        return self._read().get(name) or self._choose(name)

    def _choose(self, name: str) -> int:
        numbers = self._read() | {name: free_port()}
        write_private(self._file, json.dumps(numbers))
        return numbers[name]

    def replace(self, port: int) -> None:
        """Give whoever had this port another one."""
        for name in [name for name, number in self._read().items() if number == port]:
            self._choose(name)
