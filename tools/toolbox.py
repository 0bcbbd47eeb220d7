"""The port behind which tools stand: what activities may ask of them, and what a call comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from eventlog.inquiries import Inquiry
from eventlog.terms import Effect, Risk, ToolTerms
from llm.messages import Block, JsonObject, ToolSpec
from tools.context import ToolContext

CHANGED = (
    "It was not run: the tool is no longer what it was when this session began, as the server that has it has changed "
    "or removed it. A new session takes it as it is now."
)


@dataclass(frozen=True, slots=True)
class Question:
    """What a person must decide before the call may run."""

    text: str
    """One line: what would be done."""
    reason: str
    """Why it is asked."""
    risk: Risk


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that can be made: its arguments are valid."""

    name: str
    arguments: JsonObject
    """Validated and coerced, as JSON."""
    digest: str
    """SHA-256 of the tool's name and these arguments, as canonical JSON."""
    effect: Effect
    timeout: float
    attempts: int
    question: Question | None
    """What a person must be asked first; None where the call may just run."""
    inquiry: Inquiry | None = None
    """What a person is asked in place of running anything: their answer is the result."""
    agreed: str | None = None
    """The digest the session must have agreed to, where another program may change the tool; None where none may."""


@dataclass(frozen=True, slots=True)
class Unplanned:
    """A call that cannot be made, with the words that tell the model why and what to do."""

    kind: str
    """unknown_tool, invalid_arguments or unavailable"""
    problem: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The tool returned."""

    result: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The tool did not do it, and says why."""

    kind: str
    """error, timeout or unavailable"""
    problem: str
    retry: bool = False
    """Whether trying again may help; only ever so where the tool may be repeated."""
    retry_after: float | None = None
    happened: bool | None = False
    """Whether the effect happened: False means that the tool says it did not, None that nobody knows."""


ToolResult: TypeAlias = Succeeded | Failed
Plan: TypeAlias = Planned | Unplanned


class Toolbox(Protocol):
    """The tools of one worker."""

    def terms(self, names: Sequence[str] | None) -> tuple[ToolTerms, ...]:
        """The terms of the named tools, or of all; raises `UnknownTool` that lists what there is."""
        ...

    def specs(self, tools: Sequence[str | ToolTerms]) -> tuple[ToolSpec, ...]:
        """The tools as the model sees them, in that order; those that are gone are left out.

        Where terms are given, another program's tool is left out unless it is still what was agreed on.
        """
        ...

    def title(self, name: str, arguments: JsonObject) -> str:
        """The call in a few words (at most 80 characters), for people."""
        ...

    def plan(self, name: str, arguments: JsonObject, allowed: Sequence[str]) -> Plan:
        """Check a call before it is made: the tool is known and allowed, the arguments are valid, who must agree."""
        ...

    async def run(self, planned: Planned, context: ToolContext) -> ToolResult:
        """Make the call, within its timeout. Cancellation is passed on to the tool; nothing else is raised."""
        ...

    async def reconcile(self, planned: Planned, context: ToolContext) -> ToolResult | None:
        """What became of a call whose process died: the tool's own `reconcile` is asked; None where nobody knows."""
        ...

    async def clean_up(self, planned: Planned, context: ToolContext) -> str:
        """Clean up after a call that was stopped: what came of it, in words; nothing where the tool has no clean-up."""
        ...

    def strike(self, data: JsonObject) -> JsonObject:
        """The same data, with `[secret NAME]` in the place of every secret that a tool was given."""
        ...


class UnknownTool(LookupError):
    """A session asked for a tool that the worker does not have."""
