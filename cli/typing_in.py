"""Lines that a person types, or that come through a pipe: waited for in a way that can be called off."""

import asyncio
import os
import sys


class Lines:
    """The lines of stdin, one after another."""

    def __init__(self) -> None:
        self._kept = b""
        self._over = sys.stdin is None

    async def next(self) -> str | None:
        """The next line without its end; None where there is none any more."""
        while b"\n" not in self._kept and not self._over:
            read = await _read(sys.stdin.fileno())
            self._kept += read
            self._over = not read
        line, newline, self._kept = self._kept.partition(b"\n")
        return line.decode(errors="replace").strip() if line or newline else None


async def _read(file: int) -> bytes:
    """What there is, as soon as there is something; nothing at the end. A file is always ready."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(file, ready.set)
    except OSError:  # what cannot be waited for need not be
        return os.read(file, _AT_ONCE)
    try:
        await ready.wait()
        return os.read(file, _AT_ONCE)
    except OSError:  # the terminal has gone
        return b""
    finally:
        loop.remove_reader(file)


_AT_ONCE = 64 * 1024
