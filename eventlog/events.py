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

from eventlog.approval_terms import Action, ApprovalTerms, Groups, Scope, Standing
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
from eventlog.inquiries import InputAction, Inquiry, Verdict
from eventlog.raises import Raise
from eventlog.terms import (
    AtLimit,
    Breakpoint,
    CompletionReason,
    Effect,
    LimitName,
    Limits,
    LoopStage,
    Mode,
    PolicyDecision,
    Risk,
    ToolTerms,
    When,
)
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
    review: bool = Field(default=False, exclude_if=lambda review: not review)
    """Whether a person must accept the final answer before it is used."""
    policy: MaybeJson = Field(default=None, exclude_if=lambda policy: policy is None)
    """The policy in force, whole: see `policy/rules.py`. Without one, every call is as its tool's author wants it."""
    approval: Annotated[ApprovalTerms | None, ContentMark(None)] = Field(
        default=None, exclude_if=lambda terms: terms is None
    )
    """Terms of every question of the thread, where its starter wanted any."""
    breakpoints: tuple[Breakpoint, ...] = Field(default=(), exclude_if=lambda breakpoints: not breakpoints)
    """Where the session is to be stopped from its beginning on."""
    fallback_models: Annotated[tuple[str, ...], ContentMark(())] = Field(
        default=(), exclude_if=lambda models: not models
    )
    """Models that are asked, with the same terms, while the ones before them cannot be."""


class UserMessageAdded(Event):
    """A person, or a program on their behalf, said something."""

    type: Literal["UserMessageAdded"] = "UserMessageAdded"
    message: Text
    attachments: Blocks = ()
    """Further content blocks (images, documents), as the provider takes them."""
    sender: str
    steering: bool = Field(default=False, exclude_if=lambda steering: not steering)
    """Whether it takes effect at once: the model call that runs is dropped, and what is not begun is not run."""


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
    orderly: bool = Field(default=False, exclude_if=lambda orderly: not orderly)
    """Whether what runs is stopped and gets its outcome before the end; up to 0.2.0 it was merely let go."""


class SessionInterrupted(Event):
    """Somebody stopped what runs; the session waits for a message, or to be resumed."""

    type: Literal["SessionInterrupted"] = "SessionInterrupted"
    by: str
    reason: Words = None


class SessionStepped(Event):
    """The session goes on for one step: one model call, or one round of tool calls. Then it is paused again."""

    type: Literal["SessionStepped"] = "SessionStepped"
    by: str


class BreakpointSet(Event):
    """Somebody wants the session to be stopped at a point, every time."""

    type: Literal["BreakpointSet"] = "BreakpointSet"
    breakpoint: Breakpoint
    by: str


class BreakpointCleared(Event):
    """A breakpoint is no more, or none is."""

    type: Literal["BreakpointCleared"] = "BreakpointCleared"
    breakpoint: str | None = None
    """Its id; none where all were cleared."""
    by: str


class BreakpointReached(Event):
    """The session has come to a point where it is to be stopped: it is paused there. Resumed, it goes past it."""

    type: Literal["BreakpointReached"] = "BreakpointReached"
    breakpoint: str
    """The id of the breakpoint; `one-step` where only one step was to be done."""
    when: When
    step: int
    """The model call it is about."""
    tools: tuple[str, ...] = ()
    """The tools it is about; none where it is about the model call itself."""
    calls: tuple[str, ...] = ()
    """The calls that are not begun for its sake."""


class BudgetWarned(Event):
    """A part of a limit is used, of which somebody wanted to hear; it is said once."""

    type: Literal["BudgetWarned"] = "BudgetWarned"
    limit: LimitName
    share: float
    """Which part of the limit: 0.8 is four fifths."""
    allowed: float
    used: float
    account: str | None = None
    """Of a budget that threads share: which one, of whom, and in which period; see `budgets/account.py`."""


class BudgetExceeded(Event):
    """A limit was reached, or would be by what comes next."""

    type: Literal["BudgetExceeded"] = "BudgetExceeded"
    limit: LimitName
    allowed: float
    used: float
    action: AtLimit = Field(default="end", exclude_if=lambda action: action == "end")
    """What follows from it."""
    tool: str | None = Field(default=None, exclude_if=lambda tool: tool is None)
    """The tool whose calls are limited."""
    account: str | None = Field(default=None, exclude_if=lambda account: account is None)
    """Of a budget that threads share: which one, of whom, and in which period; see `budgets/account.py`."""
    needed: float | None = Field(default=None, exclude_if=lambda needed: needed is None)
    """What the next call may use at most; not known where its price is not."""
    question: str | None = Field(default=None, exclude_if=lambda question: question is None)
    """What a person is asked: one line."""
    raised_by: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """Patterns of the names of those who may answer; anybody where there are none."""
    expires_at: datetime | None = Field(default=None, exclude_if=lambda time: time is None)
    """When nobody's answer is a no."""
    unpriced: bool = Field(default=False, exclude_if=lambda unpriced: not unpriced)
    """Whether the price of the next call is not known, so that nobody can say whether it fits."""
    orderly: bool = Field(default=False, exclude_if=lambda orderly: not orderly)
    """Whether open calls get their outcome before the session ends for it; up to 0.2.0 they were merely let go."""


class BudgetRaised(Event):
    """Somebody allowed more, of the thread's own limits or of a budget that threads share."""

    type: Literal["BudgetRaised"] = "BudgetRaised"
    more: Raise
    by: str
    reason: Words = None
    account: str | None = Field(default=None, exclude_if=lambda account: account is None)
    """The shared budget that has more now; the thread's own limits have where there is none."""
    elsewhere: bool = Field(default=False, exclude_if=lambda elsewhere: not elsewhere)
    """Whether it was raised by the answer to another thread: this one is answered by it too, and adds nothing."""


class BudgetRefused(Event):
    """There is no more to be had: the session ends at its limit."""

    type: Literal["BudgetRefused"] = "BudgetRefused"
    by: str
    reason: Text


class ModelChanged(Event):
    """Another model is asked from here on."""

    type: Literal["ModelChanged"] = "ModelChanged"
    model: ModelTerms
    previous: str
    """The name of the model before."""
    reason: Text
    stand_in: bool = Field(default=False, exclude_if=lambda stand_in: not stand_in)
    """Whether it answers only so long as the one that is wanted cannot: see docs/resilience.md."""


class LoopDetected(Event):
    """The agent goes round in circles: the same calls have brought the same results again and again."""

    type: Literal["LoopDetected"] = "LoopDetected"
    step: int
    """The model call before which it was noticed."""
    stage: LoopStage
    """What follows: the model is told; the session is paused besides, for a person to decide; or it is over."""
    period: int
    """How many replies one round has."""
    times: int
    """How many rounds there were, one like the other."""
    calls: Text
    """The calls of the last reply, in a few words."""


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
    reserved_usd: Decimal | None = Field(default=None, exclude_if=lambda cost: cost is None)
    """US dollars that were set aside for it, where there is a budget: more than it can cost."""


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
    counted_usd: Annotated[Decimal | None, ContentMark(None)] = Field(
        default=None, exclude_if=lambda cost: cost is None
    )
    """US dollars that it counts for in budgets: it may have been billed, and nobody knows how much of it."""


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
    cost_usd: Decimal | None = Field(default=None, exclude_if=lambda cost: cost is None)
    """US dollars that this attempt costs, where the tool has a price."""


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
    """Why, in a word: unknown_tool, invalid_arguments, denied_by_policy, truncated, timeout, unavailable, crashed,
    error, …; interrupted, steered, terminated or limit where it was stopped, or not begun, for that."""
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
    approval: ApprovalTerms | None = Field(default=None, exclude_if=lambda terms: terms is None)
    """How a person must be asked, where it asks and says how."""


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
    terms: ApprovalTerms | None = Field(default=None, exclude_if=lambda terms: terms is None)
    """How it is to be answered, where that is more than one person's yes."""
    token_sha256: Words = Field(default=None, exclude_if=lambda digest: digest is None)
    """Of the token that an answer must show, where one must; the token itself is stored nowhere."""


class ApprovalVoted(Event):
    """One of several people who must allow a call did; it is not enough yet."""

    type: Literal["ApprovalVoted"] = "ApprovalVoted"
    call_id: str
    digest: str
    """Of the arguments that this vote allows: with others, the votes are counted anew."""
    approver: str
    comment: Words = None
    edited_arguments: MaybeJson = None
    """The arguments to run with instead, where the approver changed them."""
    terms: ApprovalTerms | None = None
    """How the question is to be answered from now on, where changed arguments make that stricter."""
    remember: Scope | None = None
    """What this person wants to be allowed from now on as well."""


class ApprovalGranted(Event):
    """A person allowed the call."""

    type: Literal["ApprovalGranted"] = "ApprovalGranted"
    call_id: str
    digest: str
    """Of the arguments that were asked about."""
    approver: str
    comment: Words = None
    edited_arguments: MaybeJson = None
    """The arguments to run with instead, where the approver, or one of those before, changed them."""
    edited_digest: str | None = Field(default=None, exclude_if=lambda digest: digest is None)
    """Of the arguments to run with, where they are not those that were asked about."""
    remember: Standing | None = Field(default=None, exclude_if=lambda standing: standing is None)
    """Which calls to come it covers as well, where it covers any."""


class ApprovalDenied(Event):
    """A person forbade the call; the model reads why."""

    type: Literal["ApprovalDenied"] = "ApprovalDenied"
    call_id: str
    approver: str
    reason: Text


class ApprovalEscalated(Event):
    """Nobody answered in time: others are asked."""

    type: Literal["ApprovalEscalated"] = "ApprovalEscalated"
    call_id: str
    level: int
    """1 for those who are asked second, 2, …"""
    approvers: Groups
    """Who may answer now: a person must fit one of each list; no list at all: anyone."""
    expires_at: datetime
    token_sha256: Words = None
    """Of the token that an answer must show now, where one must: the one before is void."""


class ApprovalExpired(Event):
    """Nobody answered in time: the call is not run, unless its terms say otherwise."""

    type: Literal["ApprovalExpired"] = "ApprovalExpired"
    call_id: str
    action: Action = Field(default="deny", exclude_if=lambda action: action == "deny")
    """What follows: the call is not run, or it is."""


class ApprovalReused(Event):
    """Nobody was asked about a call, because somebody has allowed all of its kind before."""

    type: Literal["ApprovalReused"] = "ApprovalReused"
    call_id: str
    tool_name: str
    digest: str
    """Of the tool's name and the arguments that are run."""
    grant: int
    """The position of the ApprovalGranted that it rests on."""
    approvers: tuple[str, ...]
    """Who allowed it then."""
    scope: Scope


class HumanInputRequested(Inquiry, Event):
    """A person is asked for something that only they can say: their answer is what comes of the call."""

    type: Literal["HumanInputRequested"] = "HumanInputRequested"
    call_id: str
    expires_at: datetime
    step: Annotated[int | None, Unsaid(None)] = None
    """The model call whose final answer is reviewed before it is used; none where the model itself asks."""


class HumanInputProvided(Event):
    """A person answered."""

    type: Literal["HumanInputProvided"] = "HumanInputProvided"
    call_id: str
    action: InputAction
    by: str
    value: MaybeJson = None
    """The answer as JSON, as it was understood: see `projections/human_answers.py`."""
    content: Blocks = ()
    """A file that was handed in, as the model reads it."""
    verdict: Annotated[Verdict | None, Unsaid(None)] = None
    """What becomes of something that was reviewed."""
    comment: Words = None
    step: Annotated[int | None, Unsaid(None)] = None
    """As in the question."""


class HumanInputExpired(Event):
    """Nobody answered in time."""

    type: Literal["HumanInputExpired"] = "HumanInputExpired"
    call_id: str
    step: Annotated[int | None, Unsaid(None)] = None
    """As in the question."""


class RequestIgnored(Event):
    """Somebody asked for something that could not be done: late, doubled, unknown or malformed. It changed nothing."""

    type: Literal["RequestIgnored"] = "RequestIgnored"
    request: str
    """What was asked for, by the name of its signal: approve, message, steer, …"""
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
    | SessionInterrupted
    | SessionStepped
    | BreakpointSet
    | BreakpointCleared
    | BreakpointReached
    | BudgetWarned
    | BudgetExceeded
    | BudgetRaised
    | BudgetRefused
    | ModelChanged
    | LoopDetected
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
    | ApprovalVoted
    | ApprovalGranted
    | ApprovalDenied
    | ApprovalEscalated
    | ApprovalExpired
    | ApprovalReused
    | HumanInputRequested
    | HumanInputProvided
    | HumanInputExpired
    | RequestIgnored
    | StreamRepaired
    | UnknownEvent,
    Field(discriminator="type"),
]
"""One event of any kind: `match` on it and end with `assert_never`."""


EVENT_TYPES: Mapping[str, type[AnyEvent]] = {kind.__name__: kind for kind in get_args(get_args(AnyEvent)[0])}
"""Every event class by its name."""
