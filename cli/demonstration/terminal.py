"""A person at a terminal: asked a question, and never waited for in a way that could not be called off."""

import asyncio
import os
import sys

from cli.output import Output

TYPED_AT_ONCE = 4096
"""Bytes of one line that are read."""


def somebody_is_there(output: Output) -> bool:
    """Whether a person can be asked: at a terminal, and not while we run in its background."""
    if not output.live:
        return False
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # a terminal, though not the one that controls us: nobody stops us when we read it
        return True


async def ask(output: Output, question: str) -> str | None:
    """The line a person types; None where they have closed the terminal (Ctrl-D)."""
    output.notes.print(question, end=" ", markup=False, highlight=False, soft_wrap=True)
    output.notes.file.flush()
    line = await _line(sys.stdin.fileno())
    return None if not line else line.decode(errors="replace").strip()


async def _line(file: int) -> bytes:
    """A line: a terminal gives no less, and a thread that reads could not be stopped."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(file, ready.set)
    try:
        await ready.wait()
        return os.read(file, TYPED_AT_ONCE)
    except OSError:  # the terminal has gone
        return b""
    finally:
        loop.remove_reader(file)
