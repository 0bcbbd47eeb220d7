"""The sandbox for Python: an interpreter that has no way out, in a process that has none either.

Each program gets a process of its own, without the worker's environment, which holds nothing that another program
could see. Whatever becomes of it (no memory, a crash of the interpreter, a way out of it), the worker reads a report or
the lack of one.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tools.errors import ToolUnavailable
from tools.sandbox.sandbox import Limits, Program, Ran, Sandbox

_ROOT = Path(__file__).resolve().parents[2]
_START = "import sys; sys.path.insert(0, sys.argv[1]); from tools.sandbox.keeper import main; main()"
_ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "MALLOC_ARENA_MAX": "2"}
"""All of it. The seed makes sets come out in the same order each time."""
_GRACE_SECONDS = 2
"""How much later than its own time a keeper that does not report is ended."""
_REST = 100_000
"""Bytes of a report beside what the program printed."""


class MontySandbox(Sandbox):
    """Runs Python with Monty: much of the language, little of its library, and nothing of the system."""

    async def run(self, program: Program, limits: Limits) -> Ran:
        """Run it in a process and a folder of its own; both are gone when this returns or is cancelled."""
        if find_spec("pydantic_monty") is None:
            raise ToolUnavailable("the sandbox's interpreter is not installed: pip install pydantic-monty")
        with tempfile.TemporaryDirectory(prefix="perdure-sandbox-", ignore_cleanup_errors=True) as folder:
            _lay_out(folder, program.files)
            asked = {"code": program.code, "folder": folder, **asdict(limits)}
            async with _keeper(folder) as keeper:
                return _told(await _asked(keeper, asked, limits))


def _lay_out(folder: str, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        Path(folder, name).write_bytes(content)


@asynccontextmanager
async def _keeper(folder: str) -> AsyncIterator[Process]:
    """A process group for one program, which does not outlive the block."""
    keeper = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-s", "-c", _START, str(_ROOT)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        cwd=folder,
        env=_ENVIRONMENT,
        start_new_session=True,
    )
    try:
        yield keeper
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(keeper.pid, signal.SIGKILL)
        await asyncio.shield(keeper.communicate())


async def _asked(keeper: Process, asked: dict[str, Any], limits: Limits) -> bytes:
    """The keeper's report; empty where it died, or said nothing in time."""
    if keeper.stdin is None or keeper.stdout is None:
        return b""
    try:
        async with asyncio.timeout(limits.seconds + _GRACE_SECONDS):
            keeper.stdin.write(json.dumps(asked).encode() + b"\n")
            await keeper.stdin.drain()
            return await _line(keeper.stdout, most=12 * limits.output_bytes + _REST)
    except (TimeoutError, ConnectionError):
        return b""


async def _line(stream: asyncio.StreamReader, most: int) -> bytes:
    """Up to the end of the line or of the stream, but no more than that; whoever sends more has sent nothing."""
    read = b""
    while not read.endswith(b"\n") and len(read) <= most:
        piece = await stream.read(1 << 16)
        if not piece:
            break
        read += piece
    return read if read.endswith(b"\n") else b""


def _told(report: bytes) -> Ran:
    if not report:
        return Ran(problem="the process that ran it was ended from outside, or by the system for lack of memory")
    told = json.loads(report)
    if broken := told.pop("broken", None):
        raise ToolUnavailable(f"the sandbox could not be set up: {broken}")
    return Ran(**told)
