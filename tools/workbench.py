"""The tools of one worker, laid out: what the model is told of them, what a call would be, and how it is made."""

import asyncio
import contextlib
import difflib
import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any, Protocol, assert_never

from eventlog.canonical import digest_of
from eventlog.inquiries import Inquiry
from eventlog.terms import ToolTerms
from llm.messages import Block, JsonObject, ToolSpec
from tools.context import ToolContext
from tools.errors import (
    CallFailed,
    InvalidArguments,
    InvalidTool,
    OutcomeUnknown,
    ToolChanged,
    ToolFailed,
    ToolUnavailable,
)
from tools.invocation import Crowded, Ending, Invocations, Raised, Returned, TimedOut
from tools.results import blocks_of
from tools.secrets import NoSecret, Vault
from tools.titles import question_of, title_of
from tools.tool import Tool
from tools.toolbox import CHANGED, Failed, Plan, Planned, Succeeded, Toolbox, ToolResult, UnknownTool, Unplanned

logger = logging.getLogger(__name__)

CLEAN_UP = 10.0
"""Seconds a tool has at most to clean up after a call that was stopped."""
LONGEST_PROBLEM = 4_000
"""Characters of a failure that the model reads."""


class Source(Protocol):
    """Tools that come and go while the worker runs."""

    def tools(self) -> Mapping[str, Tool]:
        """What there is now, by name."""
        ...

    def absence(self, name: str) -> str | None:
        """Why a tool that there may be is not there now; None where there is no reason to expect it."""
        ...


class Workbench(Toolbox):
    """The toolbox of a worker: tools made of Python functions, those of other programs, and a folder to work in."""

    def __init__(
        self,
        tools: Iterable[Tool],
        workspace: Path,
        max_output_chars: int = 50_000,
        max_threads: int = 32,
        vault: Vault | None = None,
    ) -> None:
        self._own = _by_name(tools)
        self._source: Source | None = None
        self._workspace = _folder(workspace)
        self._max_output_chars = max_output_chars
        self._invocations = Invocations(max_threads)
        self._vault = vault or Vault()

    def beside(self, source: Source) -> "Workbench":
        """The same tools, and those of the source; of two with one name, ours is meant."""
        bench = copy(self)
        bench._source = source  # noqa: SLF001 - it is one of us
        return bench

    @property
    def workspace(self) -> Path:
        """The only folder the file tools may touch, without links."""
        return self._workspace

    @property
    def vault(self) -> Vault:
        """The secrets that tools are given, and what strikes them out of everything said."""
        return self._vault

    @property
    def _tools(self) -> Mapping[str, Tool]:
        return {**self._source.tools(), **self._own} if self._source else self._own

    def terms(self, names: Sequence[str] | None) -> tuple[ToolTerms, ...]:
        """The terms of the named tools, or of all; raises `UnknownTool` that lists what there is."""
        tools = self._tools
        if names is None:
            return tuple(tool.terms for tool in tools.values())
        for name in names:
            if name not in tools:
                raise UnknownTool(self._absence(name) or _no_such(name, tuple(tools)))
        return tuple(tools[name].terms for name in dict.fromkeys(names))

    def specs(self, tools: Sequence[str | ToolTerms]) -> tuple[ToolSpec, ...]:
        """The tools as the model sees them, in that order; those that are gone, or were changed by others, are not."""
        there = self._tools
        digests = {each if isinstance(each, str) else each.name: _digest(each) for each in tools}
        found = ((there.get(name), digest) for name, digest in digests.items())
        return tuple(tool.spec for tool, digest in found if tool is not None and not _drifted(tool, digest))

    def title(self, name: str, arguments: JsonObject) -> str:
        """The call in one line of at most 80 characters, for people."""
        return self._vault.strike_text(title_of(self._tools.get(name), name, arguments))

    def plan(self, name: str, arguments: JsonObject, allowed: Sequence[str]) -> Plan:
        """Check a call before it is made: the tool is known and allowed, the arguments are valid, who must agree."""
        tools = self._tools
        tool = tools.get(name)
        if tool is None and name in allowed and (absence := self._absence(name)):
            return Unplanned("unavailable", f"{absence}; it was not run, and may be tried again later")
        if tool is None or name not in allowed:
            return Unplanned("unknown_tool", _no_such(name, [each for each in allowed if each in tools]))
        try:
            return self._discreet(_planned(tool, arguments))
        except InvalidArguments as error:
            return Unplanned("invalid_arguments", self._vault.strike_text(str(error)))
        except Exception as error:  # noqa: BLE001 - a tool's own types may check in their own ways
            return Unplanned("invalid_arguments", f"the arguments cannot be checked: {self._words(error)}")

    async def run(self, planned: Planned, context: ToolContext) -> ToolResult:
        """Make the call, within its timeout. Cancellation is passed on to the tool; nothing else is raised."""
        tool = self._tools.get(planned.name)
        if tool is None:
            return Failed(
                "unavailable", f"this worker has no tool {planned.name!r} any more", retry=planned.effect != "unsafe"
            )
        if _drifted(tool, planned.agreed):
            return Failed("tool_changed", CHANGED)
        try:
            values = tool.arguments.check(planned.arguments).values
        except Exception as error:  # noqa: BLE001 - a tool's own types may check in their own ways
            return Failed("error", f"the tool takes these arguments no longer: {self._words(error)}")
        context = self._context(tool, context)
        call = functools.partial(tool.function, **values, **dict.fromkeys(tool.context, context))
        return self._result(tool, await self._invocations.run(call, self._write, tool.timeout, context.cancelled))

    async def reconcile(self, planned: Planned, context: ToolContext) -> ToolResult | None:
        """What became of a call whose process died: the tool's own `reconcile` is asked; None where nobody knows."""
        tool = self._tools.get(planned.name)
        if tool is None or tool.reconcile is None:
            return None
        try:
            values = tool.arguments.with_defaults(tool.arguments.check(planned.arguments).values)
        except Exception:  # noqa: BLE001 - a tool's own types may check in their own ways
            return None
        context = self._context(tool, context)
        call = functools.partial(tool.reconcile, context, **values)
        ending = await self._invocations.run(call, self._write_if_known, tool.timeout, context.cancelled)
        match ending:
            case Returned(value=None):
                return None
            case Returned() | Raised(error=ToolFailed()):
                return self._result(tool, ending)
            case _:
                return None

    async def clean_up(self, planned: Planned, context: ToolContext) -> str:
        """Clean up after a call that was stopped: what came of it, in words; nothing where the tool has no clean-up."""
        tool = self._tools.get(planned.name)
        if tool is None or tool.cleanup is None:
            return ""
        try:
            values = tool.arguments.with_defaults(tool.arguments.check(planned.arguments).values)
        except Exception as error:  # noqa: BLE001 - a tool's own types may check in their own ways
            return f"It was not cleaned up: {self._words(error)}"
        context = self._context(tool, context)
        call = functools.partial(tool.cleanup, context, **values)
        within = min(tool.timeout, CLEAN_UP)
        return self._cleaned(await self._invocations.run(call, lambda value: value, within, context.cancelled))

    def _cleaned(self, ending: Ending) -> str:
        match ending:
            case Returned(value=value):
                said = "" if value is None else _cut(self._vault.strike_text(str(value)))
                return f"It was cleaned up: {said}" if said else "It was cleaned up."
            case Raised(error=error):
                return f"Its clean-up failed: {self._words(error)}"
            case TimedOut() | Crowded():
                return "Its clean-up did not end in time."
            case _:
                assert_never(ending)

    def strike(self, data: JsonObject) -> JsonObject:
        """The same data, with `[secret NAME]` in the place of every secret that a tool was given."""
        struck: JsonObject = self._vault.strike(data)
        return struck

    def _absence(self, name: str) -> str | None:
        return self._source.absence(name) if self._source else None

    def _write(self, value: Any) -> tuple[Block, ...]:
        """The result as blocks, written where the tool ran: a large one then holds nobody up."""
        return blocks_of(value, self._max_output_chars, self._vault.strike_text)

    def _write_if_known(self, value: Any) -> tuple[Block, ...] | None:
        return None if value is None else self._write(value)

    def _discreet(self, planned: Planned) -> Planned:
        """The plan, with questions that tell no secret."""
        if planned.inquiry is not None:
            struck = self._vault.strike(planned.inquiry.model_dump())
            planned = replace(planned, inquiry=Inquiry.model_validate(struck))
        if planned.question is None:
            return planned
        text, reason = map(self._vault.strike_text, (planned.question.text, planned.question.reason))
        return replace(planned, question=replace(planned.question, text=text, reason=reason))

    def _result(self, tool: Tool, ending: Ending) -> ToolResult:
        match ending:
            case Returned(value=value):
                return Succeeded(value)
            case Raised(error=error):
                return _failed(tool, error, self._words(error))
            case TimedOut():
                return _timed_out(tool)
            case Crowded():
                problem = "it was not begun: every thread of the worker is taken by calls that do not end"
                return Failed("unavailable", problem, retry=_repeatable(tool))
            case _:
                assert_never(ending)

    def _words(self, error: BaseException) -> str:
        return _cut(self._vault.strike_text(_words(error)))

    def _context(self, tool: Tool, context: ToolContext) -> ToolContext:
        """The context as tools get it: usable from any thread, and silent once nobody waits."""
        loop = asyncio.get_running_loop()
        cancelled = Event()

        def heartbeat(progress: str) -> None:
            if not cancelled.is_set():
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(context.heartbeat, self._vault.strike_text(str(progress)))

        secret = functools.partial(self._secret, tool)
        return replace(context, workspace=self._workspace, heartbeat=heartbeat, secret=secret, cancelled=cancelled)

    def _secret(self, tool: Tool, name: str) -> str:
        """The secret's value, for a tool whose manifest names it; the operator reads in the log why there is none."""
        try:
            return self._vault.give(name, tool.capabilities.secrets if tool.capabilities else ())
        except NoSecret as error:
            logger.error("no_secret", extra={"tool": tool.name, "problem": str(error)})  # noqa: TRY400 - no fault of ours
            raise ToolFailed(f"{error}; an operator must see to it") from None


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
        inquiry=tool.inquiry(checked.values) if tool.inquiry else None,
        agreed=tool.terms.digest if tool.foreign else None,
    )


def _digest(agreed: str | ToolTerms) -> str | None:
    return None if isinstance(agreed, str) else agreed.digest


def _drifted(tool: Tool, agreed: str | None) -> bool:
    """Whether another program has changed its tool since it was agreed on, where it was."""
    return agreed is not None and tool.foreign and tool.terms.digest != agreed


def _failed(tool: Tool, error: BaseException, words: str) -> Failed:
    """The failure as the tool means it: an exception says that it was not done, but for a broken connection."""
    unsure = None if tool.effect == "unsafe" else False
    match error:
        case ToolUnavailable():
            return Failed("unavailable", words, retry=_repeatable(tool), retry_after=error.retry_after)
        case OutcomeUnknown():
            return Failed("error", words, happened=None)
        case ToolChanged():
            return Failed("tool_changed", words)
        case ConnectionError() | TimeoutError():
            return Failed("unavailable", words, retry=_repeatable(tool), happened=unsure)
        case _:
            return Failed("error", words)


def _timed_out(tool: Tool) -> Failed:
    problem = f"it did not end within {tool.timeout:g} seconds"
    if _repeatable(tool):
        return Failed("timeout", problem, retry=True, happened=None)
    return Failed("timeout", f"{problem}; it may have acted all the same, or act yet", happened=None)


def _repeatable(tool: Tool) -> bool:
    return tool.effect != "unsafe"


def _words(error: BaseException) -> str:
    """The exception in words, without a stack trace."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - a stranger's exception writes itself
        said = ""
    if isinstance(error, CallFailed) and said:
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _cut(said: str) -> str:
    if len(said) <= LONGEST_PROBLEM:
        return said
    return f"{said[:LONGEST_PROBLEM]}… [cut: {LONGEST_PROBLEM:,} of {len(said):,} characters shown]"
