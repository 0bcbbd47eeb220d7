"""What may be asked of a session, in the imperative: the shapes of its signals and updates.

Every request can be written by hand, as the JSON of a Temporal signal: `{"call_id": "…", "approver": "ana"}`.
"""

import json
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from eventlog.approval_terms import Scope
from eventlog.raises import Raise
from eventlog.terms import Breakpoint, Limits, Mode, When
from llm.messages import Block, Frozen, JsonObject, ModelTerms
from policy.approval import Approval
from projections.process_requests import (
    Close,
    Expire,
    GiveUpBudget,
    GiveUpModel,
    GiveUpTool,
    Reach,
    ReviewAnswer,
    Skip,
    Trip,
)

LONGEST_MESSAGE = 256 * 1024
"""Characters. What is longer belongs in a file that a tool can read."""

LONGEST_WAIT = 10 * 365 * 24 * 3600.0
"""Seconds: ten years. Far beyond that end Temporal's timers and Python's dates, and a session would hang for good."""

MOST_WARNINGS = 20
"""Each is looked at with every call, and recorded with the session."""

ATTACHABLE = ("text", "image", "document", "search_result")
"""Kinds of blocks a person may send: the provider takes no other from a user, and would reject the thread for ever."""


def _attachable(block: Block) -> Block:
    if block.get("type") not in ATTACHABLE:
        raise ValueError(
            f"a block of type {block.get('type')!r} cannot be attached; use one of {', '.join(ATTACHABLE)}"
        )
    json.dumps(block, allow_nan=False)  # a number beyond all numbers is a ValueError, and says so
    return block


def _ends_some_day(limits: Limits) -> Limits:
    if limits.runtime is not None and limits.runtime > LONGEST_WAIT:
        raise ValueError(f"runtime can be at most {LONGEST_WAIT:.0f} seconds; null is no limit")
    if len(limits.warn_at) > MOST_WARNINGS:
        raise ValueError(f"warn_at has at most {MOST_WARNINGS} parts")
    if (limits.at_limit == "degrade") != (limits.degrade_to is not None):
        raise ValueError("at_limit degrade and degrade_to belong together")
    return limits


Attachment = Annotated[Block, AfterValidator(_attachable)]


def _names(given: Any) -> Any:
    """One name may stand alone."""
    return (given,) if isinstance(given, str) else given


def _told_apart(breakpoints: tuple[Breakpoint, ...]) -> tuple[Breakpoint, ...]:
    ids = [each.id for each in breakpoints]
    if twice := next((id_ for id_ in ids if ids.count(id_) > 1), None):
        raise ValueError(f"two breakpoints are called {twice!r}")
    return breakpoints


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("it has characters that cannot be printed")
    return name


Name = Annotated[str, Field(min_length=1, max_length=200)]
Named = Annotated[Name, AfterValidator(_printable)]
"""Of somebody: it is a key of budgets and reports, and shown by Temporal."""


class StartSession(Frozen):
    """Begin a session. Everything but the message has a default."""

    message: str = Field(min_length=1, max_length=LONGEST_MESSAGE)
    attachments: tuple[Attachment, ...] = ()
    mode: Mode = "task"
    model: ModelTerms | None = None
    """None takes the worker's default model."""
    system: str | None = None
    """None takes the default system prompt."""
    tools: tuple[str, ...] | None = None
    """Names of the tools the model may call; None is all the worker has."""
    limits: Annotated[Limits, AfterValidator(_ends_some_day)] = Limits()
    approval_timeout: float = Field(default=7 * 24 * 3600.0, gt=0, le=LONGEST_WAIT)
    """Seconds a question waits for its answer."""
    idle_timeout: float | None = Field(default=None, gt=0, le=LONGEST_WAIT)
    """Seconds a chat waits for the next message; None is for ever."""
    result_schema: JsonObject | None = None
    """A JSON Schema the final answer must fit; for tasks only."""
    initial_context: JsonObject | None = None
    review: bool = Field(default=False, exclude_if=lambda review: not review)
    """Whether a person must accept the final answer before the task is done; for tasks only."""
    policy: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        default=(), max_length=20, exclude_if=lambda names: not names
    )
    """Names of policies, laid over those that the worker's settings name: they can only make them stricter."""
    breakpoints: Annotated[tuple[Breakpoint, ...], AfterValidator(_told_apart)] = Field(
        default=(), max_length=20, exclude_if=lambda breakpoints: not breakpoints
    )
    """Where the session is to be stopped from its beginning on."""
    approval: Approval | None = Field(default=None, exclude_if=lambda approval: approval is None)
    """How its questions are to be answered: beside what the policy wants it can only make that stricter."""
    fallback_models: Annotated[tuple[Name, ...] | None, BeforeValidator(_names)] = Field(
        default=None, max_length=10, exclude_if=lambda models: models is None
    )
    """Models that may stand in for the first, in their order; None takes the worker's, an empty list is none."""
    tenant: Named = "default"
    principal: Named = "anonymous"

    @model_validator(mode="before")
    @classmethod
    def _bare_text(cls, value: Any) -> Any:
        return {"message": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _schema_needs_task(self) -> "StartSession":
        if self.result_schema is not None and self.mode != "task":
            raise ValueError("result_schema needs mode 'task': a chat has no final answer to check")
        if self.review and self.mode != "task":
            raise ValueError("review needs mode 'task': a chat has no final answer to review")
        return self


class Say(Frozen):
    """Tell the agent something."""

    request: Literal["message"] = "message"
    message: str = Field(min_length=1, max_length=LONGEST_MESSAGE)
    attachments: tuple[Attachment, ...] = ()
    sender: str = "anonymous"

    @model_validator(mode="before")
    @classmethod
    def _bare_text(cls, value: Any) -> Any:
        return {"message": value} if isinstance(value, str) else value


Position = Annotated[int | None, Field(ge=0, exclude_if=lambda position: position is None)]
Token = Annotated[str | None, Field(max_length=1_000, repr=False, exclude_if=lambda token: token is None)]


class Approve(Frozen):
    """Allow one call, once; with other arguments if `edited_arguments` is given."""

    request: Literal["approve"] = "approve"
    call_id: str
    approver: str = "anonymous"
    comment: str | None = None
    edited_arguments: JsonObject | None = None
    position: Position = None
    """Of the event that says what is asked: an answer to anything else does nothing. Needed once an edit changed it."""
    token: Token = None
    """The question's token, where it wants one."""
    remember: Scope | None = Field(default=None, exclude_if=lambda scope: scope is None)
    """What is allowed from now on as well: every call of the tool, or those with exactly the same arguments."""


class Deny(Frozen):
    """Forbid one call; the model reads the reason."""

    request: Literal["deny"] = "deny"
    call_id: str
    approver: str = "anonymous"
    reason: str = "no reason was given"
    position: Position = None
    """Of the event that says what is asked: an answer to anything else does nothing."""
    token: Token = None
    """The question's token, where it wants one."""


def _is_json(value: Any) -> Any:
    """JSON through and through, and not so deep that nobody can write it."""
    try:
        json.dumps(value, allow_nan=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


class Answer(Frozen):
    """Answer a question, once."""

    request: Literal["answer"] = "answer"
    call_id: str
    value: Annotated[Any, AfterValidator(_is_json)] = None
    """What is answered, as JSON; `projections/human_answers.py` says what fits which question."""
    comment: str | None = Field(default=None, max_length=LONGEST_MESSAGE)
    position: int | None = Field(default=None, ge=0, exclude_if=lambda position: position is None)
    """Of the event that asks: an answer to anything else does nothing."""
    by: str = "anonymous"


class Pause(Frozen):
    """Begin nothing new until resumed."""

    request: Literal["pause"] = "pause"
    by: str = "anonymous"
    reason: str | None = None


class Resume(Frozen):
    """Go on."""

    request: Literal["resume"] = "resume"
    by: str = "anonymous"


class Terminate(Frozen):
    """End the session now."""

    request: Literal["terminate"] = "terminate"
    by: str = "anonymous"
    reason: str | None = None


class Interrupt(Frozen):
    """Stop what runs now, and keep the session: it waits for a message, or to be resumed."""

    request: Literal["interrupt"] = "interrupt"
    by: str = "anonymous"
    reason: str | None = None


class Steer(Frozen):
    """Tell the agent something that takes effect at once: the model is asked again with it in view."""

    request: Literal["steer"] = "steer"
    message: str = Field(min_length=1, max_length=LONGEST_MESSAGE)
    attachments: tuple[Attachment, ...] = ()
    sender: str = "anonymous"

    @model_validator(mode="before")
    @classmethod
    def _bare_text(cls, value: Any) -> Any:
        return {"message": value} if isinstance(value, str) else value


class StepOnce(Frozen):
    """Go on for one model call, or one round of tool calls, and pause again."""

    request: Literal["step"] = "step"
    by: str = "anonymous"


class SetBreakpoint(Frozen):
    """Stop the session at a point, every time, until the breakpoint is cleared."""

    request: Literal["set_breakpoint"] = "set_breakpoint"
    id: str | None = Field(default=None, min_length=1, max_length=200)
    """What it is called: to clear it, and to tell where the session stopped."""
    when: When = "before"
    tool: str | None = Field(default=None, min_length=1, max_length=100)
    """A tool's name, or a pattern of names; None is every model call."""
    by: str = "anonymous"

    @property
    def breakpoint(self) -> Breakpoint:
        """The breakpoint, under its name."""
        return Breakpoint.model_validate({"id": self.id, "when": self.when, "tool": self.tool})


class ClearBreakpoint(Frozen):
    """Stop the session there no more; without an id, nowhere."""

    request: Literal["clear_breakpoint"] = "clear_breakpoint"
    id: str | None = None
    by: str = "anonymous"


class Record(Frozen):
    """Write an event of one's own into the stream: what happened elsewhere and belongs to the session."""

    request: Literal["record"] = "record"
    type: str
    """As in the stream: `acme.InvoicePaid`."""
    data: JsonObject
    version: int | None = Field(default=None, ge=1)
    """The version of the shape the data have; None is the newest."""
    by: str = "anonymous"


class RaiseBudget(Frozen):
    """Allow more than was allowed; or say no where a person is asked, and the session ends."""

    request: Literal["raise"] = "raise"
    amounts: Raise = Raise()
    """So much more: `{"cost": 5, "turns": 20}`."""
    refuse: bool = False
    by: str = "anonymous"
    reason: str | None = None
    elsewhere: str | None = None
    """The shared budget's account that was raised by the answer to another thread: this one adds nothing to it."""


class Reject(Frozen):
    """Record that something was asked for in a form nobody understands."""

    request: Literal["reject"] = "reject"
    name: str
    problem: str


Request: TypeAlias = Annotated[
    Say
    | Answer
    | Approve
    | Deny
    | Pause
    | Resume
    | Terminate
    | Interrupt
    | Steer
    | StepOnce
    | SetBreakpoint
    | ClearBreakpoint
    | Record
    | RaiseBudget
    | Reject
    | Expire
    | Reach
    | Skip
    | Trip
    | GiveUpBudget
    | ReviewAnswer
    | GiveUpModel
    | GiveUpTool
    | Close,
    Field(discriminator="request"),
]
