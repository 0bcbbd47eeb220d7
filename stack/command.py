"""A program that is run to its end, and what it said."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass

from stack.osuser import OsUser

TIMEOUT = 180.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a program ended."""

    code: int
    output: str
    """Both of its streams."""


async def run(*command: str, env: Mapping[str, str] | None = None, user: OsUser | None = None) -> Answer:
    """Run a program to its end; one that takes too long is ended."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(os.environ if env is None else env),
        cwd="/",
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            output, _ = await process.communicate()
    except TimeoutError:
        return Answer(1, f"no answer after {TIMEOUT:.0f} seconds")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Answer(process.returncode or 0, output.decode(errors="replace").strip())
