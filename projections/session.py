"""The session's state, folded from thin events alone: all that the process knows of its thread.

`projections/evolution.py` says how each event changes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from eventlog.inquiries import InputAction
from eventlog.terms import CompletionReason, Limits, Mode, ToolTerms
from projections.ballot import UNASKED, Ballot
from projections.budget_question import BUDGET, BudgetQuestion
from projections.review import FINAL, Review
from projections.steering import Steering

Status = Literal["running", "waiting", "paused", "completed", "failed", "terminated"]
CallState = Literal["wanted", "asked", "granted", "inquired", "begun"]
"""wanted by the model → a person is asked for leave → granted → begun (its intent is in the log).

A call that is itself a question to a person is never begun: it is inquired.
"""
RANKS: Mapping[CallState, int] = {state: rank for rank, state in enumerate(get_args(CallState))}
"""How far a call has come in each state."""


@dataclass(frozen=True)
class PendingCall:
    """A tool call without an outcome."""

    id: str
    name: str
    title: str
    state: CallState = "wanted"
    question: str = ""
    digest: str = ""
    """Of the arguments a person is asked about."""
    expires_at: datetime | None = None
    action: InputAction | None = None
    """What a person is asked to do, where it is not to give leave."""
    inquired_at: int = -1
    """The position of that question."""
    step: int | None = None
    """The model call whose final answer is reviewed, where this is no call of the model's."""
    stopped: bool = False
    """Whether the session was stopped before it, by a breakpoint."""
    ballot: Ballot = UNASKED
    """How the question about it is to be answered, and who has allowed it so far."""

    @property
    def waits(self) -> bool:
        """Whether a person must answer before anything else."""
        return self.state in ("asked", "inquired")


@dataclass(frozen=True)
class Session:
    """Where a session stands after the event at `position`."""

    position: int = -1
    thread_id: str = ""
    started_at: datetime | None = None
    tenant: str = "default"
    principal: str = "anonymous"
    mode: Mode = "task"
    limits: Limits = field(default_factory=Limits)
    idle_timeout: float | None = None
    tools: Mapping[str, ToolTerms] = field(default_factory=dict)
    pending: Mapping[str, PendingCall] = field(default_factory=dict)
    """Calls without an outcome, by id, in call order."""
    messages: int = 0
    """User messages."""
    turns: int = 0
    """Replies received."""
    tool_calls: int = 0
    """Calls asked for by the model."""
    tokens: int = 0
    steps: int = 0
    """Model calls that came to an end, well or badly."""
    failures: int = 0
    """Attempts at the current step that failed."""
    failed_before: int = 0
    """How many of them asked another model than the one that is asked now."""
    heard: int = -1
    """Position of the last user message."""
    answered: int = -1
    """The position up to which the last reply had read."""
    paused_turn: bool = False
    """The provider paused the last reply and goes on with it in the next one, before it reads anything else."""
    unfinished: bool = False
    """The last reply wants another call: it used tools, was cut off, or its answer was not taken."""
    nudges: int = 0
    """Replies in a row that brought nothing forward."""
    prompted: int = -1
    """Position of the last message or resumption."""
    failure: str = ""
    """Why the model could not be asked, at `failed_at`."""
    failed_at: int = -1
    bad_end: str = ""
    """Why the last reply is no answer, and asking again would be no use."""
    paused: bool = False
    exceeded: str = ""
    """The limit that was reached."""
    reached: str = ""
    """The same in words, with how much of it was used."""
    budget: BudgetQuestion | None = None
    """What a person is asked about a budget."""
    raised_at: int = -1
    """Position of the last answer to such a question."""
    calls_of: Mapping[str, int] = field(default_factory=dict)
    """Calls asked for by the model, of the tools whose calls are limited."""
    review: Review | None = None
    """How far the review of the final answer has come, where a person must accept it."""
    terminating: bool = False
    completed: CompletionReason | None = None
    steering: Steering = field(default_factory=Steering)

    @property
    def started(self) -> bool:
        """Whether the stream has its beginning."""
        return self.started_at is not None

    @property
    def started_ms(self) -> int:
        """The start in milliseconds of Unix time: the head of every event id of this thread."""
        return milliseconds(self.started_at) if self.started_at else 0

    @property
    def waiting_for_answer(self) -> tuple[PendingCall, ...]:
        """The questions a person must answer, of any kind."""
        calls = tuple(call for call in self.pending.values() if call.waits)
        if (review := self.open_review) is not None:
            calls = (*calls, review)
        if self.budget is None or self.completed is not None:
            return calls
        return (*calls, _about_budget(self.budget))

    @property
    def open_review(self) -> PendingCall | None:
        """The review of the final answer, where one waits: not once something was said that the answer knows not of."""
        review = self.review
        if review is None or not review.waits or self.completed is not None or self.heard > review.asked_at:
            return None
        return _about_review(review)

    def question(self, call_id: str) -> PendingCall | None:
        """The call of this id that is open, or the review of the final answer where that is meant."""
        return self.pending.get(call_id) or (self.open_review if call_id == FINAL else None)

    @property
    def owes_reply(self) -> bool:
        """Whether the model has something to react to."""
        return self.unfinished or self.heard > self.answered

    @property
    def stalled(self) -> str:
        """Why nothing more comes from the model until a person does something."""
        if self.failed_at > self.prompted:
            return self.failure
        return "" if self.owes_reply else self.bad_end

    @property
    def held(self) -> bool:
        """Whether it was interrupted, and nobody has said anything or resumed it since."""
        return self.steering.interrupted > self.prompted

    @property
    def stopped_at(self) -> str:
        """Where it was stopped, in words: by a breakpoint, after one step, or by an interruption."""
        if self.completed is not None:
            return ""
        return self.steering.stop if self.paused and self.steering.stop else "interrupted" if self.held else ""

    @property
    def status(self) -> Status:
        """The session in one word."""
        if self.completed is not None:
            return _ENDED[self.completed]
        if self.paused:
            return "paused"
        rests = self.held or (self.mode == "chat" and (bool(self.stalled) or not self.owes_reply))
        idle = rests and not self.pending
        return "waiting" if self.waiting_for_answer or (idle and self.started) else "running"


def milliseconds(time: datetime) -> int:
    """Unix time in milliseconds."""
    return int(time.timestamp() * 1000)


_ENDED: Mapping[CompletionReason, Status] = {
    "success": "completed",
    "timeout": "completed",
    "failure": "failed",
    "limit": "failed",
    "terminated": "terminated",
}


def _about_budget(question: BudgetQuestion) -> PendingCall:
    return PendingCall(BUDGET, BUDGET, BUDGET, state="asked", question=question.text, expires_at=question.expires_at)


def _about_review(review: Review) -> PendingCall:
    return PendingCall(
        FINAL,
        "",
        "the final answer",
        state="inquired",
        question=review.question,
        expires_at=review.expires_at,
        action="review",
        inquired_at=review.asked_at,
        step=review.step,
    )
