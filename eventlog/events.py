"""Everything that can happen in a session. START HERE, then read `projections/next_step.py`.

An event is a fact: past tense, never changed, understood on its own. Fields marked `Content` are what people and
models said; they live in the log only. All other fields are what the process needs to decide what comes next:
`eventlog/marks.py` keeps just these, and only thin events ever pass through Temporal.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field

from eventlog.facts import (
    Arguments,
    Blocks,
    ContentMark,
    Detail,
    Event,
    Facts,
    MaybeJson,
    Text,
    Unsaid,
    Words,
)
from eventlog.terms import CompletionReason, Effect, LimitName, Limits, Mode, PolicyDecision, Risk, ToolTerms
from llm.messages import JsonObject, ModelTerms, TokenUsage, text_of


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
