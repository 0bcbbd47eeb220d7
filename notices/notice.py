"""A notice: what one event of a thread says to people who do not look at the thread, and how they can answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from eventlog.events import UnknownEvent
from eventlog.log import Recorded
from eventlog.marks import thin
from eventlog.streams import AGENT, parse_stream_name
from ledger.alerts import alert_of
from llm.messages import JsonObject
from notices.answering import Answers, answers_to
from notices.kinds import ASKING, EXPIRING, KINDS, SETTLED_BY, name_of
from projections.timeline import Timeline, evolve

LARGEST: Final = 64 * 1024
"""Characters of JSON that one field may have; a larger one is left out, and named."""
_KEPT_BACK: Final = frozenset({"type", "token", "token_sha256"})
_OF_THE_QUESTION: Final = ("tool_name", "question", "risk", "action")
"""What a word about a question repeats of the question itself."""
_WHOLE_QUESTION: Final = frozenset({*EXPIRING.values(), "approval.escalated"})
"""Kinds that ask again, and so must tell all that the question told."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What an endpoint or a notifier is told. Its `repr` never shows the token."""

    id: str
    """The same however often the notice comes: the event's id, with a word after it where the time has come."""
    kind: str
    time: datetime
    """When the event happened."""
    thread: str
    """Empty where it is about no single thread."""
    tenant: str
    principal: str
    """Who acted, by the event's metadata."""
    event: str
    """The event's type."""
    event_id: UUID
    position: int
    """Of the event in the thread's stream."""
    text: str
    """All of it in a line, for people."""
    details: Mapping[str, Any]
    """The fields of the event, as its class in `eventlog/events.py` has them."""
    omitted: tuple[str, ...] = ()
    """Fields that are too large to be sent along."""
    answers: Answers = field(default_factory=dict, repr=False)
    """For a question that waits: commands that answer it, by what types them and by what they say."""
    token: str | None = field(default=None, repr=False)
    """What answers the question without a name, where it has such a thing."""

    @property
    def body(self) -> bytes:
        """As JSON, the way it is sent: in the shape that the Standard Webhooks specification recommends."""
        ours: JsonObject = {
            **({"thread_id": self.thread} if self.thread else {}),
            "tenant": self.tenant,
            "principal": self.principal,
            "event": self.event,
            "event_id": str(self.event_id),
            "position": self.position,
            "text": self.text,
        }
        more = {"omitted": list(self.omitted), "token": self.token, "answers": self.answers}
        data = {**ours, **self.details, **{name: value for name, value in more.items() if value}}
        said = {"type": self.kind, "timestamp": self.time.isoformat().replace("+00:00", "Z"), "data": data}
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class About:
    """The event a notice is about, and what else of its thread belongs to the same question."""

    event: Recorded
    question: Recorded | None = None
    """What was asked, where the event is about a question."""
    settled: bool = False
    """Whether nobody need answer any more."""
    asked_again: bool = False
    """Whether the same question was put to others since."""


def about(stream: Sequence[Recorded], id_: UUID) -> About | None:
    """What a thread's stream says about one of its events; None where that is not in it."""
    found = next((each for each in stream if each.id == id_), None)
    if found is None:
        return None
    return About(
        event=found,
        question=_question(stream, found),
        settled=any(_settles(each, found) for each in stream if each.position > found.position),
        asked_again=any(
            each.event.type in EXPIRING and _same_question(each, found)
            for each in stream
            if each.position > found.position
        ),
    )


def matters(recorded: Recorded) -> bool:
    """Whether an event may belong to a question: `about` needs no others."""
    return name_of(recorded.event) in KINDS or _ends_calls(recorded)


def notice_of(about_: About, kind: str, id_: str, *, content: bool = True, token: str | None = None) -> Notice:
    """The notice; without `content`, it says no more than Temporal's history does."""
    recorded = about_.event if content else _without_content(about_.event)
    question = about_.question and (about_.question if content else _without_content(about_.question))
    name = name_of(recorded.event)
    details, omitted = _details(recorded, question, kind)
    asks = name in SETTLED_BY and (name != "BudgetExceeded" or details.get("action") == "ask")
    waits = asks and not (about_.settled or about_.asked_again)
    thread = parse_stream_name(recorded.stream).thread if recorded.stream.startswith(f"{AGENT}-") else ""
    return Notice(
        id=id_,
        kind=kind,
        time=recorded.metadata.at,
        thread=thread,
        tenant=recorded.metadata.tenant,
        principal=recorded.metadata.principal,
        event=name,
        event_id=recorded.id,
        position=recorded.position,
        text=_text(recorded, question, kind),
        details=details,
        omitted=omitted,
        answers=answers_to(KINDS[name], thread, details, token) if waits else {},
        token=token if waits else None,
    )


def _details(recorded: Recorded, question: Recorded | None, kind: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    own, asked = _fields(recorded), _fields(question) if question else {}
    whole = kind in _WHOLE_QUESTION
    repeated = {name: value for name, value in asked.items() if whole or name in _OF_THE_QUESTION}
    said = {name: value for name, value in {**repeated, **own}.items() if name not in _KEPT_BACK}
    large = tuple(name for name, value in said.items() if len(json.dumps(value)) > LARGEST)
    return {name: value for name, value in said.items() if name not in large}, large


def _fields(recorded: Recorded) -> Mapping[str, Any]:
    event = recorded.event
    return event.data if isinstance(event, UnknownEvent) else event.model_dump(mode="json", exclude_none=True)


def _text(recorded: Recorded, question: Recorded | None, kind: str) -> str:
    """As the thread's timeline tells it; an alert has no thread."""
    alert = alert_of(recorded)
    if alert is not None:
        whose = " of ".join(name for name in (alert.principal, alert.tenant) if name) or "all"
        return (
            f"alert {alert.alert}: {whose} used {alert.used:f} of {alert.limit:f} ({alert.measure}) in {alert.period}"
        )
    asked = str(getattr(question.event, "question", "") or "") if question and question.id != recorded.id else ""
    titles = {str(getattr(recorded.event, "call_id", "")): asked} if asked else {}
    [line] = evolve(Timeline(titles=titles), recorded).lines
    soon = "expires soon: " if kind in EXPIRING.values() else ""
    told = f"{soon}{line.actor} {line.text}"
    return f"{told} ({asked})" if asked not in told else told


def _question(stream: Sequence[Recorded], found: Recorded) -> Recorded | None:
    """The newest event up to this one that put the same question."""
    return next(
        (
            each
            for each in reversed(stream)
            if each.position <= found.position and each.event.type in ASKING and _same_question(each, found)
        ),
        None,
    )


def _settles(later: Recorded, asked: Recorded) -> bool:
    if later.event.type == "SessionCompleted":
        return True
    settled_by = SETTLED_BY.get(asked.event.type, frozenset())
    return _same_question(later, asked) and (later.event.type in settled_by or _ends_calls(later))


def _ends_calls(recorded: Recorded) -> bool:
    return recorded.event.type in {
        "SessionCompleted",
        "ToolExecutionRequested",
        "ToolExecutionCompleted",
        "ToolExecutionFailed",
        "ToolExecutionOutcomeUnknown",
    }


def _same_question(one: Recorded, other: Recorded) -> bool:
    """Whether both belong to one question: that about a call, or the one about money that a thread can have open."""
    if one.event.type.startswith("Budget"):
        return other.event.type.startswith("Budget")
    call = getattr(one.event, "call_id", None)
    return call is not None and call == getattr(other.event, "call_id", None)


def _without_content(recorded: Recorded) -> Recorded:
    return Recorded(
        recorded.id,
        recorded.stream,
        recorded.position,
        recorded.global_position,
        recorded.time,
        recorded.event if alert_of(recorded) else thin(recorded.event),
        recorded.metadata,
    )
