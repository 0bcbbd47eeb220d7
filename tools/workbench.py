"""The tools of one worker, laid out: what the model is told of them, what a call would be, and how it is made."""

import asyncio
import contextlib
import difflib
import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any, assert_never

from eventlog.canonical import digest_of
from eventlog.events import ToolTerms
from llm.messages import Block, JsonObject, ToolSpec
from tools.context import ToolContext
from tools.errors import CallFailed, InvalidArguments, InvalidTool, OutcomeUnknown, ToolFailed, ToolUnavailable
from tools.invocation import Crowded, Ending, Invocations, Raised, Returned, TimedOut
from tools.results import blocks_of
from tools.titles import question_of, title_of
from tools.tool import Tool
from tools.toolbox import Failed, Plan, Planned, Succeeded, Toolbox, ToolResult, UnknownTool, Unplanned

LONGEST_PROBLEM = 4_000
"""Characters of a failure that the model reads."""


class Workbench(Toolbox):
    """The toolbox of a worker: tools made of Python functions, with one folder to work in."""

    def __init__(
        self, tools: Iterable[Tool], workspace: Path, max_output_chars: int = 50_000, max_threads: int = 32
    ) -> None:
        self._tools = _by_name(tools)
        self._workspace = _folder(workspace)
        self._max_output_chars = max_output_chars
        self._invocations = Invocations(max_threads)

    @property
    def workspace(self) -> Path:
        """The only folder the file tools may touch, without links."""
        return self._workspace

    def terms(self, names: Sequence[str] | None) -> tuple[ToolTerms, ...]:
        """The terms of the named tools, or of all; raises `UnknownTool` that lists what there is."""
        if names is None:
            return tuple(tool.terms for tool in self._tools.values())
        for name in names:
            if name not in self._tools:
                raise UnknownTool(_no_such(name, tuple(self._tools)))
        return tuple(self._tools[name].terms for name in dict.fromkeys(names))

    def specs(self, names: Sequence[str]) -> tuple[ToolSpec, ...]:
        """The named tools as the model sees them, in that order; those that are gone are left out."""
        return tuple(self._tools[name].spec for name in dict.fromkeys(names) if name in self._tools)

    def title(self, name: str, arguments: JsonObject) -> str:
        """The call in one line of at most 80 characters, for people."""
        return title_of(self._tools.get(name), name, arguments)

    def plan(self, name: str, arguments: JsonObject, allowed: Sequence[str]) -> Plan:
        """Check a call before it is made: the tool is known and allowed, the arguments are valid, who must agree."""
        tool = self._tools.get(name)
        if tool is None or name not in allowed:
            return Unplanned("unknown_tool", _no_such(name, [each for each in allowed if each in self._tools]))
        try:
            return _planned(tool, arguments)
        except InvalidArguments as error:
            return Unplanned("invalid_arguments", str(error))
        except Exception as error:  # noqa: BLE001 - a tool's own types may check in their own ways
            return Unplanned("invalid_arguments", f"the arguments cannot be checked: {_words(error)}")

    async def run(self, planned: Planned, context: ToolContext) -> ToolResult:
        """Make the call, within its timeout. Cancellation is passed on to the tool; nothing else is raised."""
        tool = self._tools.get(planned.name)
        if tool is None:
            return Failed(
                "unavailable", f"this worker has no tool {planned.name!r} any more", retry=planned.effect != "unsafe"
            )
        try:
            values = tool.arguments.check(planned.arguments).values
        except Exception as error:  # noqa: BLE001 - a tool's own types may check in their own ways
            return Failed("error", f"the tool takes these arguments no longer: {_words(error)}")
        context = self._context(context)
        call = functools.partial(tool.function, **values, **dict.fromkeys(tool.context, context))
        return _result(tool, await self._invocations.run(call, self._write, tool.timeout, context.cancelled))

    async def reconcile(self, planned: Planned, context: ToolContext) -> ToolResult | None:
        """What became of a call whose process died: the tool's own `reconcile` is asked; None where nobody knows."""
        tool = self._tools.get(planned.name)
        if tool is None or tool.reconcile is None:
            return None
        try:
            values = tool.arguments.with_defaults(tool.arguments.check(planned.arguments).values)
        except Exception:  # noqa: BLE001 - a tool's own types may check in their own ways
            return None
        context = self._context(context)
        call = functools.partial(tool.reconcile, context, **values)
        ending = await self._invocations.run(call, self._write_if_known, tool.timeout, context.cancelled)
        match ending:
            case Returned(value=None):
                return None
            case Returned() | Raised(error=ToolFailed()):
                return _result(tool, ending)
            case _:
                return None

    def _write(self, value: Any) -> tuple[Block, ...]:
        """The result as blocks, written where the tool ran: a large one then holds nobody up."""
        return blocks_of(value, self._max_output_chars)

    def _write_if_known(self, value: Any) -> tuple[Block, ...] | None:
        return None if value is None else self._write(value)

    def _context(self, context: ToolContext) -> ToolContext:
        """The context as tools get it: usable from any thread, and silent once nobody waits."""
        loop = asyncio.get_running_loop()
        cancelled = Event()

        def heartbeat(progress: str) -> None:
            if not cancelled.is_set():
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(context.heartbeat, progress)

        return replace(context, workspace=self._workspace, heartbeat=heartbeat, cancelled=cancelled)


def _by_name(tools: Iterable[Tool]) -> dict[str, Tool]:
    named: dict[str, Tool] = {}
    for tool in tools:
        if named.setdefault(tool.name, tool) is not tool:
            raise InvalidTool(f"two tools are named {tool.name!r}: give one another name with @tool(name=…)")
    return named


def _folder(workspace: Path) -> Path:
    folder = workspace.expanduser().resolve()
    if not folder.is_dir():
        raise NotADirectoryError(f"the workspace {str(workspace)!r} is no folder: create it, or name another")
    return folder


def _no_such(name: str, there_are: Sequence[str]) -> str:
    close = difflib.get_close_matches(name[:64], there_are, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"There is no tool {name[:100]!r}.{hint} Available: {', '.join(there_are) or 'none'}."


def _planned(tool: Tool, arguments: JsonObject) -> Planned:
    checked = tool.arguments.check(arguments)
    return Planned(
        name=tool.name,
        arguments=checked.json,
        digest=digest_of({"name": tool.name, "arguments": checked.json}),
        effect=tool.effect,
        timeout=tool.timeout,
        attempts=tool.attempts,
        question=question_of(tool, checked),
    )


def _result(tool: Tool, ending: Ending) -> ToolResult:
    match ending:
        case Returned(value=value):
            return Succeeded(value)
        case Raised(error=error):
            return _failed(tool, error)
        case TimedOut():
            return _timed_out(tool)
        case Crowded():
            problem = "it was not begun: every thread of the worker is taken by calls that do not end"
            return Failed("unavailable", problem, retry=_repeatable(tool))
        case _:
            assert_never(ending)


def _failed(tool: Tool, error: BaseException) -> Failed:
    """The failure as the tool means it: an exception says that it was not done, but for a broken connection."""
    unsure = None if tool.effect == "unsafe" else False
    match error:
        case ToolUnavailable():
            return Failed("unavailable", _words(error), retry=_repeatable(tool), retry_after=error.retry_after)
        case OutcomeUnknown():
            return Failed("error", _words(error), happened=None)
        case ConnectionError() | TimeoutError():
            return Failed("unavailable", _words(error), retry=_repeatable(tool), happened=unsure)
        case _:
            return Failed("error", _words(error))


def _timed_out(tool: Tool) -> Failed:
    problem = f"it did not end within {tool.timeout:g} seconds"
    if _repeatable(tool):
        return Failed("timeout", problem, retry=True, happened=None)
    return Failed("timeout", f"{problem}; it may have acted all the same, or act yet", happened=None)


def _repeatable(tool: Tool) -> bool:
    return tool.effect != "unsafe"


def _words(error: BaseException) -> str:
    """The exception in words, without a stack trace, and cut where it is long."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - a stranger's exception writes itself
        said = ""
    if not (isinstance(error, CallFailed) and said):
        said = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if len(said) <= LONGEST_PROBLEM:
        return said
    return f"{said[:LONGEST_PROBLEM]}… [cut: {LONGEST_PROBLEM:,} of {len(said):,} characters shown]"
