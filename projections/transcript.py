"""The conversation as the model sees it: the log's words, in the order and form that the Messages API demands.

What always holds of a rendered request, however the events came in:

- the first message is the user's, and roles alternate;
- each reply stands as the model said it, but for blank text, a reply the provider refused, and a last thought
  without words;
- every tool call has exactly one result, in the very next message, in call order, before anything else;
- what a person said while the model was answering stands after that answer; while tools ran, after their results;
- what was sent before is sent again unchanged, so that the provider's cache holds: only the last message grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import assert_never
from uuid import UUID

from eventlog.canonical import canonical_json
from eventlog.events import (
    AnyEvent,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalReused,
    ApprovalVoted,
    BreakpointCleared,
    BreakpointReached,
    BreakpointSet,
    BudgetExceeded,
    BudgetRaised,
    BudgetRefused,
    BudgetWarned,
    ErrorOccurred,
    HumanInputExpired,
    HumanInputProvided,
    HumanInputRequested,
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    LoopDetected,
    ModelChanged,
    PolicyDecided,
    RequestIgnored,
    SessionCompleted,
    SessionInterrupted,
    SessionPaused,
    SessionResumed,
    SessionStarted,
    SessionStepped,
    SessionTerminationRequested,
    StreamRepaired,
    ToolExecutionCompleted,
    ToolExecutionFailed,
    ToolExecutionOutcomeUnknown,
    ToolExecutionRequested,
    UnknownEvent,
    UserMessageAdded,
)
from eventlog.log import Recorded
from llm.messages import Message, ModelRequest, ToolSpec
from projections.answer import check_answer as check_answer  # noqa: PLC0414 - offered beside `final_answer`
from projections.codec import json_codec
from projections.conversation import Entry, Reply, heard, new_reply, said, sent_back
from projections.evolution import ENDS_BADLY
from projections.fold import Projection
from projections.loops import notice
from projections.standing_in import fitting, models_after, models_of

SCHEMA = "The final answer must be JSON that fits this schema:"


class NotStarted(ValueError):
    """There is no conversation to show: the stream has no SessionStarted."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The messages with which every later request begins: they are made once, and written once."""

    model: str = ""
    """By whom they are read."""
    entries: int = 0
    """So many entries they show: those before the last reply, for nothing is added to these any more."""
    messages: tuple[Message, ...] = ()


@dataclass(slots=True)
class Transcript:
    """The conversation after the event at `position`. It is continued in place."""

    position: int = -1
    last_id: UUID | None = None
    """The id of the event at `position`."""
    terms: SessionStarted | None = None
    entries: list[Entry] = field(default_factory=list)
    """In the order in which the model reads them."""
    reply: Reply | None = None
    """The last one."""
    read: int = -1
    """The position up to which the last reply had read."""
    step: int = 0
    """The last model call that came to an end."""
    ids: set[str] = field(default_factory=set)
    """Tool call ids as shown."""
    replaced: str | None = None
    """What a person put in the place of the last reply as the final answer."""
    models: tuple[str, ...] = ()
    """The model that is wanted, and those that may stand in for it, in their order."""
    settled: Settled = field(init=False, repr=False, compare=False)
    """What was rendered of it before: `render` keeps it here, and it is no part of what is known."""

    def __post_init__(self) -> None:
        self.settled = Settled()

    @property
    def so_far(self) -> str:
        """What the model has said already of an answer that its next reply continues."""
        return _continued(self, unread=0)

    @property
    def tenant(self) -> str:
        """On whose behalf the agent acts."""
        return self.terms.tenant if self.terms else "default"

    @property
    def principal(self) -> str:
        """Who started the session."""
        return self.terms.principal if self.terms else "anonymous"


def render(transcript: Transcript, specs: Sequence[ToolSpec], since: int = 0) -> ModelRequest:
    """The request that shows the model this conversation, or what of it begins with the entry `since`."""
    if transcript.terms is None:
        raise NotStarted("there is no conversation to show: the stream has no SessionStarted")
    shown, model = _shown(transcript), transcript.terms.model
    return ModelRequest(
        terms=fitting(model, shown),
        system=_system(transcript.terms),
        messages=_messages(shown[since:], model.name) if since else _all_messages(transcript, shown, model.name),
        tools=tuple(specs),
    )


def final_answer(transcript: Transcript) -> str | None:
    """The model's last word, with what it continues; None where it has not had it."""
    reply = transcript.reply
    if reply is None or not reply.final or reply.stop_reason in ENDS_BADLY:
        return None
    if transcript.replaced is not None:
        return transcript.replaced
    alone = reply.text
    schema = transcript.terms.result_schema if transcript.terms else None
    if schema is not None and check_answer(alone, schema)[1] is None:
        return alone
    return reply.before + alone


# -- from events to entries -------------------------------------------------------------------------


def evolve(transcript: Transcript, recorded: Recorded) -> Transcript:
    """The transcript, one event further."""
    if recorded.position <= transcript.position:
        return transcript
    transcript.position, transcript.last_id = recorded.position, recorded.id
    _take(transcript, recorded.position, recorded.event)
    return transcript


def _take(transcript: Transcript, position: int, event: AnyEvent) -> None:
    match event:  # what happens most comes first: most of the time goes into finding the case
        case LLMCallRequested() | ToolExecutionRequested():
            pass
        case UserMessageAdded():
            transcript.entries.append(heard(position, event))
        case LLMResponseReceived():
            _reply(transcript, event)
        case SessionStarted():
            transcript.terms = event
            transcript.models = models_of(event)
        case ModelChanged():
            transcript.terms = transcript.terms and transcript.terms.model_copy(update={"model": event.model})
            transcript.models = models_after(transcript.models, event)
        case LoopDetected():
            if transcript.reply is not None:
                transcript.reply.notice = notice(event)
        case LLMCallFailed(will_retry=False):
            transcript.step = max(transcript.step, event.step)
        case ApprovalGranted() | ApprovalVoted() if event.edited_arguments is not None:
            if transcript.reply is not None:
                transcript.reply.edit(event)
        case ToolExecutionFailed(will_retry=True):
            pass
        case HumanInputProvided(step=int()):
            _reviewed(transcript, position, event)
        case HumanInputExpired(step=int()):
            pass
        case (
            ToolExecutionCompleted()
            | ToolExecutionFailed()
            | ToolExecutionOutcomeUnknown()
            | ApprovalDenied()
            | ApprovalExpired(action="deny")
            | HumanInputProvided()
            | HumanInputExpired()
        ):
            if transcript.reply is not None:
                transcript.reply.outcomes.setdefault(event.call_id, event)
        case (
            LLMCallFailed()
            | ApprovalRequested()
            | HumanInputRequested()
            | ApprovalGranted()
            | ApprovalVoted()
            | ApprovalEscalated()
            | ApprovalExpired()
            | ApprovalReused()
            | SessionInterrupted()
            | SessionStepped()
            | BreakpointSet()
            | BreakpointCleared()
            | BreakpointReached()
            | SessionPaused()
            | SessionResumed()
            | SessionTerminationRequested()
            | SessionCompleted()
            | BudgetExceeded()
            | BudgetRaised()
            | BudgetRefused()
            | BudgetWarned()
            | ErrorOccurred()
            | RequestIgnored()
            | StreamRepaired()
            | PolicyDecided()
            | UnknownEvent()
        ):
            pass
        case _:
            assert_never(event)


def _reply(transcript: Transcript, event: LLMResponseReceived) -> None:
    """Put the reply before everything it had not read; a reply to a step that is over already is none."""
    if event.step <= transcript.step:
        return
    transcript.step = event.step
    if transcript.reply is None or not transcript.reply.paused:
        transcript.read = event.at
    unread = _unread(transcript)
    reply = new_reply(event, transcript.ids, _continued(transcript, unread))
    reply.model = transcript.terms.model.name if transcript.terms else ""
    transcript.entries.insert(len(transcript.entries) - unread, reply)
    transcript.reply, transcript.replaced = reply, None


def _reviewed(transcript: Transcript, position: int, event: HumanInputProvided) -> None:
    """What a person said of the final answer: words that stand in its place, or words that the model reads."""
    if event.verdict == "replace":
        transcript.replaced = str(event.value)
    if event.verdict == "send_back":
        transcript.entries.append(sent_back(position, event))


def _unread(transcript: Transcript) -> int:
    """How many entries at the end the last reply had not read."""
    unread = 0
    for entry in reversed(transcript.entries):
        if isinstance(entry, Reply) or entry.position <= transcript.read:
            break
        unread += 1
    return unread


def _continued(transcript: Transcript, unread: int) -> str:
    """The text of the answer that is continued where the last reply broke off and nothing was said since."""
    reply = transcript.reply
    if reply is None or not (reply.paused or reply.broke_off):
        return ""
    directly = transcript.entries[len(transcript.entries) - unread - 1] is reply
    return reply.before + reply.text if directly else ""


# -- from entries to messages -----------------------------------------------------------------------


def _system(terms: SessionStarted) -> str:
    if terms.result_schema is None:
        return terms.system
    schema = f"{SCHEMA}\n{canonical_json(terms.result_schema).decode()}"
    return f"{terms.system}\n\n{schema}" if terms.system.strip() else schema


def _shown(transcript: Transcript) -> Sequence[Entry]:
    """The entries but for those that must wait: between the parts of a paused reply stands nothing."""
    if transcript.reply is None or not transcript.reply.paused:
        return transcript.entries
    return transcript.entries[: len(transcript.entries) - _unread(transcript)]


def _all_messages(transcript: Transcript, shown: Sequence[Entry], model: str) -> tuple[Message, ...]:
    """The whole conversation; what of it is settled is made only once."""
    settled = transcript.settled if transcript.settled.model == model else Settled(model)
    last = next((index for index in reversed(range(len(shown))) if isinstance(shown[index], Reply)), 0)
    if last > settled.entries:
        more = _messages(shown[settled.entries : last], model, followed=True)
        settled = Settled(model, last, _joined(settled.messages, more))
    transcript.settled = settled
    return _joined(settled.messages, _messages(shown[settled.entries :], model))


def _joined(before: tuple[Message, ...], after: tuple[Message, ...]) -> tuple[Message, ...]:
    """Two parts of a conversation: where one goes on in the role in which the other ended, that is one message."""
    if not before or not after or before[-1].role != after[0].role:
        return before + after
    return (*before[:-1], Message(after[0].role, before[-1].content + after[0].content), *after[1:])


def _messages(entries: Sequence[Entry], model: str, *, followed: bool = False) -> tuple[Message, ...]:
    """Entries as messages; `followed` where others come after these."""
    last = len(entries) if followed else len(entries) - 1
    blocks = (each for index, entry in enumerate(entries) for each in said(entry, followed=index < last, model=model))
    return tuple(Message(role, tuple(block for _, block in group)) for role, group in groupby(blocks, itemgetter(0)))


# -- in snapshots -----------------------------------------------------------------------------------


def _with_last_reply(transcript: Transcript) -> Transcript:
    """The last reply is one of the entries, and not one like it: its outcomes are added to it there."""
    transcript.reply = next((entry for entry in reversed(transcript.entries) if isinstance(entry, Reply)), None)
    return transcript


TRANSCRIPT: Projection[Transcript] = Projection(
    "transcript", 1, Transcript, evolve, json_codec(Transcript, leave_out=("reply",), restore=_with_last_reply)
)
