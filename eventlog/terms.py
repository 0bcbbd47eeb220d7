"""What was agreed when a session began: how far it may go, and what its tools are."""

from typing import Annotated, Literal

from pydantic import Field

from eventlog.facts import ContentMark, Facts

Mode = Literal["task", "chat"]
"""A task ends with its final answer; a chat waits for the next message."""
Effect = Literal["read_only", "idempotent", "unsafe"]
"""What a tool does to the world, and so whether a call may be repeated when nobody knows if it happened."""
Risk = Literal["low", "medium", "high"]
PolicyDecision = Literal["allow", "warn", "ask", "deny"]
"""From the loosest to the strictest: run it; run it and say so; ask a person first; do not run it."""
CompletionReason = Literal["success", "failure", "timeout", "limit", "terminated"]
LimitName = Literal["turns", "tool_calls", "tokens", "runtime"]


class Limits(Facts):
    """How far a session may go. Reaching a limit is an event and a clean end."""

    turns: int | None = Field(default=100, gt=0)
    """Model calls."""
    tool_calls: int | None = Field(default=500, gt=0)
    tokens: int | None = Field(default=2_000_000, gt=0)
    """All tokens read and written, cache included."""
    runtime: float | None = Field(default=None, gt=0)
    """Seconds from the session's start."""


class Capabilities(Facts):
    """What a tool needs of the world, as its author declares it."""

    paths: tuple[str, ...] = ()
    """Patterns of files in the workspace."""
    domains: tuple[str, ...] = ()
    """Hosts it speaks to: `example.com`, `*.example.com`, `*`, each with `:port` or without."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets it is given."""


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
