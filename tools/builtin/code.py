"""Running Python that the model wrote, in a sandbox."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import Field

from tools.context import ToolContext
from tools.errors import ToolFailed
from tools.sandbox.monty import MontySandbox
from tools.sandbox.sandbox import Limit, Limits, Program, Ran, Sandbox
from tools.titles import one_line
from tools.tool import Tool, tool
from tools.workspace import Workspace

LONGEST_CODE = 100_000
"""Characters."""
MOST_FILES = 20
_SETTING_UP = 10.0
"""Seconds beside the program's own."""
_ENDED: Mapping[Limit, str] = {
    "cpu": "it computed for longer than {0.cpu_seconds:g} seconds",
    "time": "it was not done after {0.seconds:g} seconds",
    "memory": "it needed more than {0.memory_bytes:,} bytes of memory",
    "output": "it printed more than {0.output_bytes:,} bytes",
    "folder": "it wrote more than {0.folder_bytes:,} bytes into its folder",
    "calls": "it used files or waited more than {0.calls:,} times",
}


def python_tool(sandbox: Sandbox, limits: Limits, name: str = "run_python") -> Tool:
    """A tool that runs Python in this sandbox, within these limits."""

    # What it reads is read through the workspace, and what it writes is forgotten: run twice is run once.
    @tool(name=name, effect="read_only", title=_title, timeout=limits.seconds + _SETTING_UP)
    async def run_python(
        context: ToolContext,
        code: Annotated[str, Field(min_length=1, max_length=LONGEST_CODE, description="The program")],
        files: Annotated[
            tuple[str, ...],
            Field(max_length=MOST_FILES, description="Files of the workspace to copy into the program's folder"),
        ] = (),
    ) -> str:
        """Run a short Python program in a sandbox, for computing and for working on text and data.

        Tells what it printed, then the value of its last expression. Each call starts afresh: nothing is kept from
        an earlier one, and files that it writes are gone when it ends, so print what matters. There is no network,
        no file but those copied, no other process and no package to install. It is a part of Python: functions,
        closures, comprehensions, match, async, with, exceptions, dataclasses and plain classes; no inheritance, no
        method decorators, no yield, no del. Of the standard library: math, json, re, datetime, time, random, decimal,
        collections, itertools, functools, dataclasses, typing, csv, hashlib, base64, bisect, copy, asyncio, and
        pathlib, os and open for the files.
        """
        copied = await asyncio.to_thread(_copied, Workspace(context.workspace), files, limits.folder_bytes)
        return _told(await sandbox.run(Program(code, copied), limits), limits)

    return run_python


def _title(arguments: Mapping[str, Any]) -> str:
    code = arguments["code"]
    return f"run_python ({code.count(chr(10)) + 1:,} lines) {one_line(code.strip(), 50)}"


def _copied(workspace: Workspace, paths: Sequence[str], most_bytes: int) -> Mapping[str, bytes]:
    """What stands in these files, by their last names."""
    copied: dict[str, bytes] = {}
    for path in dict.fromkeys(paths):
        name = PurePosixPath(path).name
        if name in copied:
            raise ToolFailed(f"two of the files are named {name!r}: in the program's folder only one can be")
        with workspace.open_file(path) as file:
            left = most_bytes - sum(map(len, copied.values()))
            copied[name] = file.read(left + 1)
        if len(copied[name]) > left:
            raise ToolFailed(f"the files are larger than the {most_bytes:,} bytes that the program's folder may hold")
    return copied


def _told(ran: Ran, limits: Limits) -> str:
    """What the model reads."""
    parts = [ran.output.removesuffix("\n")] if ran.output else []
    if ran.value is not None:
        parts.append(f"value: {ran.value}")
    if ran.reached is not None:
        parts.append(f"[the program was ended: {_ENDED[ran.reached].format(limits)}]")
    elif ran.problem is not None:
        parts.append(f"[the program failed]\n{ran.problem}")
    return "\n".join(parts) or "(it ended well and printed nothing)"


run_python = python_tool(MontySandbox(), Limits())


def within(limits: Limits, tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """The same tools, with these limits for `run_python`."""
    return tuple(python_tool(MontySandbox(), limits) if each is run_python else each for each in tools)
