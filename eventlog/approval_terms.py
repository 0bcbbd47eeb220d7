"""What was agreed about a question that a person must answer: how many, who, until when, and what if nobody does."""

from typing import Literal, TypeAlias

from pydantic import Field

from eventlog.facts import Facts

Groups: TypeAlias = tuple[tuple[str, ...], ...]
"""Lists of names, in which `*` is any characters and `?` is one: a person must fit one of each list."""
Action = Literal["deny", "allow"]
Scope = Literal["tool", "arguments"]
"""What a remembered approval covers: every call of the tool, or those with exactly the same arguments."""

LONGEST_WAIT = 10 * 365 * 24 * 3600.0
"""Seconds: ten years. Far beyond that end Temporal's timers and Python's dates, and a session would hang for good."""
MOST_LEVELS = 10


class Escalation(Facts):
    """Who is asked next, where nobody has answered in time."""

    approvers: Groups = ()
    """Who may answer then; no list at all: anyone."""
    timeout: float = Field(gt=0, le=LONGEST_WAIT)
    """Seconds they have."""


class ApprovalTerms(Facts):
    """The terms of one question. What is not said asks for nothing more than one person's yes."""

    quorum: int = Field(default=1, ge=1, le=100)
    """How many different people must allow the call."""
    approvers: Groups = ()
    """Who may answer; no list at all: anyone."""
    self_approval: bool = True
    """Whether whoever started the thread may allow its calls."""
    timeout: float | None = Field(default=None, gt=0, le=LONGEST_WAIT)
    """Seconds the question waits; none: as long as the thread's questions do."""
    escalation: tuple[Escalation, ...] = Field(default=(), max_length=MOST_LEVELS)
    """Who is asked after that, one group after another."""
    on_expiry: Action = "deny"
    """What happens at the very end, where nobody has answered."""
    token: bool = False
    """Whether an answer must show the question's token."""

    def groups(self, level: int) -> Groups:
        """Who may answer at first (level 0), or after so many escalations."""
        reached = min(level, len(self.escalation))
        return self.approvers if reached == 0 else self.escalation[reached - 1].approvers


PLAIN = ApprovalTerms()
"""One person's yes."""


class Standing(Facts):
    """What an approval covers beyond its own call: calls to come, in this thread only."""

    scope: Scope
    tool_digest: str
    """SHA-256 of the tool as the model sees it: a tool that has changed is asked about again."""
    thread_id: str
    layer: str | None = None
    """Whose word it was that a person be asked; none where it was the tool's author, without a policy."""
    rule: str | None = None
    """The rule that said so, where one did: what another rule asks about is asked about again."""
