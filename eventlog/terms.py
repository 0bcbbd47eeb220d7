"""What was agreed when a session began: how far it may go, and what its tools are."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from eventlog.facts import ContentMark, Facts

Mode = Literal["task", "chat"]
"""A task ends with its final answer; a chat waits for the next message."""
Effect = Literal["read_only", "idempotent", "unsafe"]
"""What a tool does to the world, and so whether a call may be repeated when nobody knows if it happened."""
Risk = Literal["low", "medium", "high"]
PolicyDecision = Literal["allow", "warn", "ask", "deny"]
"""From the loosest to the strictest: run it; run it and say so; ask a person first; do not run it."""
LoopStage = Literal["told", "asked", "ended"]
CompletionReason = Literal["success", "failure", "timeout", "limit", "terminated"]
When = Literal["before", "after"]
"""On which side of what it names a breakpoint stands."""
LimitName = Literal["turns", "tool_calls", "tokens", "runtime", "cost", "calls", "tool"]
"""What a limit is on; calls are those of models and tools together, tool is one tool's calls."""
AtLimit = Literal["end", "ask", "degrade"]
"""What happens at a limit: the session ends; a person is asked for more; a cheaper model goes on."""
Share = Annotated[float, Field(gt=0, le=1)]
"""A part of a limit: 0.8 is four fifths."""


class Limits(Facts):
    """How far a session may go. Reaching a limit is an event and a clean end."""

    turns: int | None = Field(default=100, gt=0)
    """Model calls."""
    tool_calls: int | None = Field(default=500, gt=0)
    tokens: int | None = Field(default=2_000_000, gt=0)
    """All tokens read and written, cache included."""
    runtime: float | None = Field(default=None, gt=0)
    """Seconds from the session's start."""
    cost: Annotated[Decimal, Field(gt=0, allow_inf_nan=False, max_digits=20)] | None = Field(
        default=None, exclude_if=lambda cost: cost is None
    )
    """US dollars for the model, with what failed attempts may have cost."""
    tools: Mapping[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict, exclude_if=lambda tools: not tools)
    """Calls of single tools, by name."""
    warn_at: tuple[Share, ...] = Field(default=(), exclude_if=lambda shares: not shares)
    """Parts of the limits on cost and tokens at which it is said that they are used."""
    at_limit: AtLimit = Field(default="end", exclude_if=lambda what: what == "end")
    degrade_to: str | None = Field(default=None, min_length=1, exclude_if=lambda model: model is None)
    """The cheaper model, with `at_limit` degrade."""
    raised_by: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """Patterns of the names of those who may raise the limits; anybody where there are none."""


class Capabilities(Facts):
    """What a tool needs of the world, as its author declares it."""

    paths: tuple[str, ...] = ()
    """Patterns of files in the workspace."""
    domains: tuple[str, ...] = ()
    """Hosts it speaks to: `example.com`, `*.example.com`, `*`, each with `:port` or without."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets it is given."""


class Breakpoint(Facts):
    """A point at which a session is to be stopped: before or after a model call, or the calls of a tool."""

    id: str = Field(default="", max_length=200)
    """What it is called. Where nobody said, it says what it is: `before:step`, `after:write_*`."""
    when: When = "before"
    tool: str | None = Field(default=None, min_length=1, max_length=100)
    """The tool's name, or a pattern of names; none is for every model call."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("id"):
            return value
        return {**value, "id": f"{value.get('when', 'before')}:{value.get('tool') or 'step'}"}


class ToolTerms(Facts):
    """What was agreed about one tool when the session started."""

    name: str
    digest: str
    """SHA-256 of the tool's name, description and schema as the model sees them."""
    effect: Effect
    risk: Risk
    timeout: float
    """Seconds one attempt may take."""
    attempts: int
    """How often a call is tried at most."""
    quick: bool = False
    """Whether it answers in well under a second, so that it may run without a queue and heartbeats."""
    capabilities: Annotated[Capabilities | None, ContentMark(None)] = Field(
        default=None, exclude_if=lambda capabilities: capabilities is None
    )
    """What it needs of the world, where its author has said so."""
    cleanup: bool = Field(default=False, exclude_if=lambda cleanup: not cleanup)
    """Whether it cleans up after calls that were stopped."""
