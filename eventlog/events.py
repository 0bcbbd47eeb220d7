"""Everything that can happen in a session. START HERE, then read `projections/next_step.py`.

An event is a fact: past tense, never changed, understood on its own. Fields marked `Content` are what people and
models said; they live in the log only. All other fields are what the process needs to decide what comes next:
`thin` keeps just these, and only thin events ever pass through Temporal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from eventlog.upcasting import upcast
from llm.messages import Block, JsonObject, ModelTerms, TokenUsage, text_of


@dataclass(frozen=True, slots=True)
class ContentMark:
    """Says of a field that it holds content, and what stands in its place in a thin event."""

    empty: object


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Says of a field that its mark does not write it where it holds this: Temporal keeps every byte for ever."""

    value: object


Text = Annotated[str, ContentMark("")]
Detail = Annotated[int, ContentMark(0)]
Words = Annotated[str | None, ContentMark(None)]
Blocks = Annotated[tuple[Block, ...], ContentMark(())]
Arguments = Annotated[JsonObject, ContentMark({})]
MaybeJson = Annotated[Any, ContentMark(None)]

Mode = Literal["task", "chat"]
"""A task ends with its final answer; a chat waits for the next message."""
Effect = Literal["read_only", "idempotent", "unsafe"]
"""What a tool does to the world, and so whether a call may be repeated when nobody knows if it happened."""
Risk = Literal["low", "medium", "high"]
PolicyDecision = Literal["allow", "warn", "ask", "deny"]
"""From the loosest to the strictest: run it; run it and say so; ask a person first; do not run it."""
CompletionReason = Literal["success", "failure", "timeout", "limit", "terminated"]
LimitName = Literal["turns", "tool_calls", "tokens", "runtime"]


class Facts(BaseModel):
    """A frozen part of an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(Facts):
    """One fact. Subclasses are named in the past tense and tagged with their own name."""

    version: ClassVar[int] = 1
    """The version of this class's shape; written into the metadata."""


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


class ToolCall(Facts):
    """One call the model asked for."""

    id: str
    name: str
    arguments: Arguments
    title: str
    """The call in a few words, as the approver and the Temporal UI read it."""


# -- the session ----------------------------------------------------------------------------------


class SessionStarted(Event):
    """A session began, under these terms."""

    type: Literal["SessionStarted"] = "SessionStarted"
    thread_id: str
    started_at: datetime
    tenant: str
    """On whose behalf the agent acts."""
    principal: str
    """Who started it."""
    mode: Mode
    model: ModelTerms
    system: Text
    """The system prompt, whole."""
    tools: tuple[ToolTerms, ...]
    limits: Limits
    approval_timeout: float
    """Seconds a question waits for its answer before it expires."""
    idle_timeout: float | None
    """Seconds a chat waits for the next message before it ends; none is for ever."""
    result_schema: MaybeJson = None
    """The JSON Schema the final answer must fit, where there is one."""
    initial_context: MaybeJson = None
    """Whatever the caller wanted remembered with the session: a JSON object, not shown to the model."""
    policy: MaybeJson = Field(default=None, exclude_if=lambda policy: policy is None)
    """The policy in force, whole: see `policy/rules.py`. Without one, every call is as its tool's author wants it."""


class UserMessageAdded(Event):
    """A person, or a program on their behalf, said something."""

    type: Literal["UserMessageAdded"] = "UserMessageAdded"
    message: Text
    attachments: Blocks = ()
    """Further content blocks (images, documents), as the provider takes them."""
    sender: str


class SessionPaused(Event):
    """Nothing new is begun until the session is resumed."""

    type: Literal["SessionPaused"] = "SessionPaused"
    by: str
    reason: Words = None


class SessionResumed(Event):
    """The session goes on."""

    type: Literal["SessionResumed"] = "SessionResumed"
    by: str


class SessionTerminationRequested(Event):
    """Somebody wants the session to end now."""

    type: Literal["SessionTerminationRequested"] = "SessionTerminationRequested"
    by: str
    reason: Words = None


class BudgetExceeded(Event):
    """A limit was reached."""

    type: Literal["BudgetExceeded"] = "BudgetExceeded"
    limit: LimitName
    allowed: float
    used: float


class ErrorOccurred(Event):
    """Something went wrong that no other event tells of."""

    type: Literal["ErrorOccurred"] = "ErrorOccurred"
    error_type: str
    error_message: Text
    stack_trace: Words = None


class SessionCompleted(Event):
    """The session is over."""

    type: Literal["SessionCompleted"] = "SessionCompleted"
    completion_reason: CompletionReason
    summary: Text
    """Why it ended, in a sentence."""
    answer: Words = None
    """The final answer, where there is one."""
    result: MaybeJson = None
    """The final answer as JSON, where a schema was asked for."""


# -- the model ------------------------------------------------------------------------------------


class LLMCallRequested(Event):
    """The model is about to be asked. What is stored renders the very same request again."""

    type: Literal["LLMCallRequested"] = "LLMCallRequested"
    step: int
    at: int
    """The request shows the stream up to and including this position."""
    projection: str
    projection_version: int
    model: ModelTerms
    tools_digest: str
    """SHA-256 of the tools' specifications as sent."""
    request_sha256: str
    """SHA-256 of the HTTP body as sent."""
    request_bytes: int


class LLMResponseReceived(Event):
    """The model answered."""

    type: Literal["LLMResponseReceived"] = "LLMResponseReceived"
    step: int
    at: int
    """The position the request was rendered at: later messages are not answered yet."""
    content: Blocks
    """Every block the model sent, verbatim."""
    tool_calls: Annotated[tuple[ToolCall, ...], Unsaid(())]
    stop_reason: Annotated[str, Unsaid("tool_use")]
    final: Annotated[bool, Unsaid(False)]
    """Whether this is the model's last word on what it was told so far: nothing to run, cut off or wrong."""
    problem: Words = None
    """Why the answer is not taken, where it is not: the model reads it and is asked again."""
    model_name: Text
    token_usage: TokenUsage
    cost_usd: Annotated[Decimal | None, Unsaid(None)]
    """None where the model's price is not known."""
    duration_ms: Detail
    message_id: Text
    request_id: Words = None

    @property
    def response_text(self) -> str:
        """What the model said, without thinking and tool calls."""
        return text_of(self.content)


class LLMCallFailed(Event):
    """The model did not answer."""

    type: Literal["LLMCallFailed"] = "LLMCallFailed"
    step: int
    kind: str
    error_message: Text
    retry_count: int
    """How many times this step had failed before."""
    will_retry: bool
    retry_in: float | None = None
    """Seconds until the next attempt, where there is one."""


# -- tools ----------------------------------------------------------------------------------------


class ToolExecutionRequested(Event):
    """A tool is about to be run. Without an outcome after it, nobody knows whether it happened."""

    type: Literal["ToolExecutionRequested"] = "ToolExecutionRequested"
    call_id: str
    tool_name: str
    arguments: Arguments
    """As they are run: validated, and edited where the approver edited them."""
    digest: str
    """SHA-256 of the tool's name and these arguments."""
    effect: Effect


class ToolExecutionCompleted(Event):
    """A tool ran and returned."""

    type: Literal["ToolExecutionCompleted"] = "ToolExecutionCompleted"
    call_id: str
    tool_name: Text
    """For readers; the process knows it by the call."""
    result: Blocks
    """What the model reads: content blocks."""
    execution_time_ms: Detail


class ToolExecutionFailed(Event):
    """A tool did not do what it was asked; the model reads why."""

    type: Literal["ToolExecutionFailed"] = "ToolExecutionFailed"
    call_id: str
    tool_name: str
    kind: str
    """unknown_tool, invalid_arguments, denied_by_policy, truncated, timeout, unavailable, crashed, error"""
    error_message: Text
    retry_count: int
    will_retry: bool = False


class ToolExecutionOutcomeUnknown(Event):
    """A tool was about to run when its process died: it may have happened, and it is not run again."""

    type: Literal["ToolExecutionOutcomeUnknown"] = "ToolExecutionOutcomeUnknown"
    call_id: str
    tool_name: str
    explanation: Text


class PolicyDecided(Event):
    """The session's policy said something of a call, before anything was done about it."""

    type: Literal["PolicyDecided"] = "PolicyDecided"
    call_id: str
    tool_name: str
    digest: str
    """Of the tool's name and the arguments that were looked at: with others, it is decided again."""
    decision: PolicyDecision
    layer: str
    """Whose word it is."""
    rule: str | None
    """The id of the rule that decided; none for a layer's default and for the tool's author."""
    reason: Text
    """Why: the model reads it where the call is denied, the approver where it is asked about."""
    policy: str
    """The digest of the policy."""


# -- people ---------------------------------------------------------------------------------------


class ApprovalRequested(Event):
    """A person is asked whether one call may run, with exactly these arguments."""

    type: Literal["ApprovalRequested"] = "ApprovalRequested"
    call_id: str
    tool_name: str
    arguments: Arguments
    digest: str
    question: str
    """What the approver reads first: one line."""
    reason: Text
    """Why it is asked."""
    risk: Risk
    expires_at: datetime


class ApprovalGranted(Event):
    """A person allowed the call."""

    type: Literal["ApprovalGranted"] = "ApprovalGranted"
    call_id: str
    digest: str
    """Of the arguments that were asked about."""
    approver: str
    comment: Words = None
    edited_arguments: MaybeJson = None
    """The arguments to run with instead, where the approver changed them."""


class ApprovalDenied(Event):
    """A person forbade the call; the model reads why."""

    type: Literal["ApprovalDenied"] = "ApprovalDenied"
    call_id: str
    approver: str
    reason: Text


class ApprovalExpired(Event):
    """Nobody answered in time: the call is not run."""

    type: Literal["ApprovalExpired"] = "ApprovalExpired"
    call_id: str


class RequestIgnored(Event):
    """Somebody asked for something that could not be done: late, doubled, unknown or malformed. It changed nothing."""

    type: Literal["RequestIgnored"] = "RequestIgnored"
    request: str
    """approve, deny, message, pause, record, resume or terminate"""
    by: str
    problem: Text
    call_id: str | None = None


class StreamRepaired(Event):
    """Somebody looked the stream over and wrote what was missing: the events that follow from this one."""

    type: Literal["StreamRepaired"] = "StreamRepaired"
    what: str
    """What was missing, in a word: the invariant that did not hold."""
    why: Text
    """What was found, and what is written for it."""
    by: str


# -- what is not known ----------------------------------------------------------------------------


class UnknownEvent(Event):
    """An event without a class here: a plugin's own (`eventlog/custom.py`), or a newer version's.

    It is kept, shown as itself, and changes no view of ours.
    """

    type: Literal["UnknownEvent"] = "UnknownEvent"
    type_name: str
    data: Annotated[JsonObject, ContentMark({})]
    schema_version: int = 1
    """The version of the shape the data have, as the metadata beside them says."""


AnyEvent: TypeAlias = Annotated[
    SessionStarted
    | UserMessageAdded
    | SessionPaused
    | SessionResumed
    | SessionTerminationRequested
    | BudgetExceeded
    | ErrorOccurred
    | SessionCompleted
    | LLMCallRequested
    | LLMResponseReceived
    | LLMCallFailed
    | ToolExecutionRequested
    | ToolExecutionCompleted
    | ToolExecutionFailed
    | ToolExecutionOutcomeUnknown
    | PolicyDecided
    | ApprovalRequested
    | ApprovalGranted
    | ApprovalDenied
    | ApprovalExpired
    | RequestIgnored
    | StreamRepaired
    | UnknownEvent,
    Field(discriminator="type"),
]
"""One event of any kind: `match` on it and end with `assert_never`."""


EVENT_TYPES: Mapping[str, type[AnyEvent]] = {kind.__name__: kind for kind in get_args(get_args(AnyEvent)[0])}
"""Every event class by its name."""


@cache
def _content_fields(kind: type[BaseModel]) -> Mapping[str, object]:
    """The fields of a class that hold content, with what replaces them."""
    return {
        name: mark.empty
        for name, field in kind.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, ContentMark)
    }


def thin_terms(terms: ToolTerms) -> ToolTerms:
    """The terms without what the process does not need."""
    return terms.model_copy(update=_content_fields(ToolTerms)) if terms.capabilities is not None else terms


def thin(event: AnyEvent) -> AnyEvent:
    """The same event without its content."""
    update = dict(_content_fields(type(event)))
    if isinstance(event, LLMResponseReceived):
        update["tool_calls"] = tuple(call.model_copy(update=_content_fields(ToolCall)) for call in event.tool_calls)
    if isinstance(event, SessionStarted):
        update["tools"] = tuple(map(thin_terms, event.tools))
    return event.model_copy(update=update)


@cache
def _unsaid_fields(kind: type[BaseModel]) -> Mapping[str, object]:
    """The fields of a class that a mark leaves out where they hold these values."""
    return {
        name: mark.value
        for name, field in kind.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Unsaid)
    }


_TOKENS = "_tokens"
"""How the numbers in a reply's `token_usage` end, but not in its mark."""


class Mark(Facts):
    """One thin event and where it stands in its stream: all that Temporal's history holds of a fact."""

    position: int
    event: AnyEvent

    @classmethod
    def of(cls, position: int, event: AnyEvent) -> Self:
        """The mark an event leaves."""
        return cls(position=position, event=thin(event))

    @model_serializer(mode="plain")
    def _short(self) -> JsonObject:
        event = self.event.model_dump(mode="json", exclude=_left_out(self.event), exclude_defaults=True)
        if "token_usage" in event:
            event["token_usage"] = {name.removesuffix(_TOKENS): of for name, of in event["token_usage"].items()}
        shape = {} if self.event.version == 1 else {"version": self.event.version}
        return {"position": self.position, "type": self.event.type, **shape, **event}

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        """Reads what `_short` writes, and what 0.1.0 wrote: the event under a name of its own, and more of it said."""
        if not isinstance(value, dict):
            return value
        said = value.get("event", value)
        if not isinstance(said, dict) or "type" not in said:
            return value
        name, version = said["type"], said.get("version", 1)
        data = {key: each for key, each in said.items() if key not in {"position", "type", "version"}}
        event = upcast(name, version, _said_in_full(EVENT_TYPES[name], data))
        return {"position": value.get("position"), "event": {"type": name, **event}}


def _said_in_full(kind: type[BaseModel], data: JsonObject) -> JsonObject:
    """What a mark says of an event, with what it leaves out."""
    whole = {**_unsaid_fields(kind), **data, **_content_fields(kind)}
    if "tool_calls" in whole:
        whole["tool_calls"] = [{**_content_fields(ToolCall), **call} for call in whole["tool_calls"]]
    if "token_usage" in whole:
        whole["token_usage"] = {name.removesuffix(_TOKENS) + _TOKENS: of for name, of in whole["token_usage"].items()}
    return whole


def _left_out(event: AnyEvent) -> dict[str, Any]:
    """What a mark need not say, as `model_dump` wants to be told: content, and what goes without saying."""
    unsaid = (name for name, value in _unsaid_fields(type(event)).items() if getattr(event, name) == value)
    calls = {"tool_calls": {"__all__": set(_content_fields(ToolCall))}}
    return {**calls, **dict.fromkeys(_content_fields(type(event)), True), **dict.fromkeys(unsaid, True)}
