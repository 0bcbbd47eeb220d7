"""What may be asked of a session, in the imperative: the shapes of its signals and updates.

Every request can be written by hand, as the JSON of a Temporal signal: `{"call_id": "…", "approver": "ana"}`.
"""

import json
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from eventlog.terms import CompletionReason, LimitName, Limits, Mode
from llm.messages import Block, Frozen, JsonObject, ModelTerms

LONGEST_MESSAGE = 256 * 1024
"""Characters. What is longer belongs in a file that a tool can read."""

LONGEST_WAIT = 10 * 365 * 24 * 3600.0
"""Seconds: ten years. Far beyond that end Temporal's timers and Python's dates, and a session would hang for good."""

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
    return limits


Attachment = Annotated[Block, AfterValidator(_attachable)]


def _names(given: Any) -> Any:
    """One name may stand alone."""
    return (given,) if isinstance(given, str) else given


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
    policy: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        default=(), max_length=20, exclude_if=lambda names: not names
    )
    """Names of policies, laid over those that the worker's settings name: they can only make them stricter."""
    tenant: str = "default"
    principal: str = "anonymous"

    @model_validator(mode="before")
    @classmethod
    def _bare_text(cls, value: Any) -> Any:
        return {"message": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _schema_needs_task(self) -> "StartSession":
        if self.result_schema is not None and self.mode != "task":
            raise ValueError("result_schema needs mode 'task': a chat has no final answer to check")
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


class Approve(Frozen):
    """Allow one call, once; with other arguments if `edited_arguments` is given."""

    request: Literal["approve"] = "approve"
    call_id: str
    approver: str = "anonymous"
    comment: str | None = None
    edited_arguments: JsonObject | None = None


class Deny(Frozen):
    """Forbid one call; the model reads the reason."""

    request: Literal["deny"] = "deny"
    call_id: str
    approver: str = "anonymous"
    reason: str = "no reason was given"


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


class Record(Frozen):
    """Write an event of one's own into the stream: what happened elsewhere and belongs to the session."""

    request: Literal["record"] = "record"
    type: str
    """As in the stream: `acme.InvoicePaid`."""
    data: JsonObject
    version: int | None = Field(default=None, ge=1)
    """The version of the shape the data have; None is the newest."""
    by: str = "anonymous"


class Reject(Frozen):
    """Record that something was asked for in a form nobody understands."""

    request: Literal["reject"] = "reject"
    name: str
    problem: str


# -- what the process itself asks ------------------------------------------------------------------


class Expire(Frozen):
    """Nobody answered the question in time."""

    request: Literal["expire"] = "expire"
    call_id: str


class Trip(Frozen):
    """A limit is reached."""

    request: Literal["trip"] = "trip"
    limit: LimitName
    allowed: float
    used: float


class GiveUpModel(Frozen):
    """The model call of this step failed as often as it may, or its process died every time."""

    request: Literal["give_up_model"] = "give_up_model"
    step: int
    kind: str
    problem: str


class GiveUpTool(Frozen):
    """This tool call failed as often as it may, or its process died every time."""

    request: Literal["give_up_tool"] = "give_up_tool"
    call_id: str
    kind: str
    problem: str


class Close(Frozen):
    """End the session and say why."""

    request: Literal["close"] = "close"
    reason: CompletionReason
    summary: str


Request: TypeAlias = Annotated[
    Say
    | Approve
    | Deny
    | Pause
    | Resume
    | Terminate
    | Record
    | Reject
    | Expire
    | Trip
    | GiveUpModel
    | GiveUpTool
    | Close,
    Field(discriminator="request"),
]
