"""What happened, for people: one line for every event, in order."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from eventlog.custom import NAME
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
from llm.messages import Block, text_of
from projections.approval_lines import allowed, from_now_on, in_short, passed_on, resting
from projections.budget_lines import exceeded_line, raised_line, warned_line
from projections.codec import json_codec
from projections.fold import Projection
from projections.human_answers import in_words
from projections.loops import loop_line
from projections.steering import in_words as where

LONGEST = 240
"""Characters of a line's text."""
US = "perdure"
MODEL = "model"


@dataclass(frozen=True, slots=True)
class Line:
    """One event in one line."""

    position: int
    kind: str
    """The event's type."""
    time: datetime
    since_start: timedelta
    actor: str
    """Who did it: a person, the model, a tool, or Perdure itself."""
    text: str
    duration_ms: int | None = None
    """How long it took, where that is known."""

    def saying(self, text: str) -> "Line":
        """The same line with another text, unless that is empty."""
        return replace(self, text=_one_line(text) or self.text)


@dataclass(slots=True)
class Timeline:
    """Every line so far. It is continued in place."""

    lines: list[Line] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    """The newest calls in a few words, by id."""
    edits: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The digest of arguments that were put in the place of the model's, and who did it, by the call's id."""

    @property
    def calls(self) -> dict[str, str]:
        """The newest calls in a few words, and whose they are now, by id."""
        changed = {id_: f"{self.titles.get(id_) or id_}, as {by} changed it" for id_, (_, by) in self.edits.items()}
        return self.titles | changed


def evolve(timeline: Timeline, recorded: Recorded) -> Timeline:
    """The timeline with one line more."""
    if timeline.lines and recorded.position <= timeline.lines[-1].position:
        return timeline
    timeline.lines.append(_line(timeline, recorded))
    match event := recorded.event:
        case LLMResponseReceived():
            timeline.titles, timeline.edits = {call.id: call.title for call in event.tool_calls}, {}
        case ApprovalVoted() if event.edited_arguments is not None:
            _edited(timeline, event.call_id, event.digest, event.approver)
        case ApprovalGranted() if event.edited_arguments is not None:
            _edited(timeline, event.call_id, event.edited_digest or event.digest, event.approver)
        case _:
            pass
    return timeline


def _edited(timeline: Timeline, call_id: str, digest: str, by: str) -> None:
    """Note who changed a call; whoever allows what others have changed has changed nothing."""
    if timeline.edits.get(call_id, ("", ""))[0] != digest:
        timeline.edits[call_id] = digest, by


def _line(timeline: Timeline, recorded: Recorded) -> Line:
    event = recorded.event
    time = recorded.metadata.at  # the writer's: an import gives a whole thread the database's time of one moment
    start = timeline.lines[0].time if timeline.lines else time
    actor, text = _told(event, timeline.calls)
    return Line(
        position=recorded.position,
        kind=event.type_name if isinstance(event, UnknownEvent) else event.type,
        time=time,
        since_start=max(time - start, timedelta(0)),
        actor=_one_line(actor) or "nobody",
        text=_one_line(text) or "nothing",
        duration_ms=_duration(event),
    )


def _duration(event: AnyEvent) -> int | None:
    match event:
        case LLMResponseReceived():
            return event.duration_ms
        case ToolExecutionCompleted():
            return event.execution_time_ms
        case _:
            return None


def _told(event: AnyEvent, titles: dict[str, str]) -> tuple[str, str]:
    """Who did it, and what."""
    match event:
        case SessionStarted():
            return event.principal, f"started a {event.mode} with {event.model.name}"
        case UserMessageAdded():
            head = "steers: " if event.steering else ""
            return event.sender, head + event.message + _attached(event.attachments)
        case SessionPaused():
            return event.by, _because("paused the session", event.reason)
        case SessionResumed():
            return event.by, "resumed the session"
        case SessionInterrupted():
            return event.by, _because("interrupted what runs", event.reason)
        case SessionStepped():
            return event.by, "let the session go on for one step"
        case BreakpointSet():
            return event.by, f"set the breakpoint {event.breakpoint.id}"
        case BreakpointCleared():
            return event.by, f"cleared {_named(event.breakpoint)}"
        case BreakpointReached():
            return US, f"stopped {where(event)}"
        case SessionTerminationRequested():
            return event.by, _because("asked to end the session", event.reason)
        case BudgetExceeded():
            return US, exceeded_line(event)
        case BudgetWarned():
            return US, warned_line(event)
        case BudgetRaised():
            return event.by, _because(raised_line(event), event.reason)
        case BudgetRefused():
            return event.by, _because("allowed no more", event.reason)
        case LoopDetected():
            return US, loop_line(event)
        case ModelChanged():
            return US, _because(f"asks {event.model.name} from here on, no longer {event.previous}", event.reason)
        case ErrorOccurred():
            return US, f"error {event.error_type}: {event.error_message}"
        case SessionCompleted():
            return US, f"session over ({event.completion_reason}): {event.summary}"
        case LLMCallRequested():
            return US, f"asks {event.model.name}, call {event.step}, {event.request_bytes:,} bytes"
        case LLMResponseReceived():
            return MODEL, _reply(event)
        case LLMCallFailed():
            return MODEL, f"did not answer ({event.kind}): {event.error_message}{_again(event)}"
        case ToolExecutionRequested():
            return event.tool_name, f"begins {_title(event.call_id, event.tool_name, titles)}"
        case ToolExecutionCompleted():
            return event.tool_name, text_of(event.result) or _kinds(event.result) or "done, without a result"
        case ToolExecutionFailed():
            again = "; tries again" if event.will_retry else ""
            return event.tool_name, f"failed ({event.kind}): {event.error_message}{again}"
        case ToolExecutionOutcomeUnknown():
            return event.tool_name, f"may have happened or not: {event.explanation}"
        case PolicyDecided():
            return "policy", _ruling(event, _title(event.call_id, event.tool_name, titles))
        case ApprovalRequested():
            return US, f"asks for approval ({event.risk} risk{in_short(event.terms)}): {event.question}"
        case ApprovalVoted() | ApprovalGranted():
            edited = "" if event.edited_arguments is None else f", with {_json(event.edited_arguments)}"
            what = f"{allowed(event)} {_title(event.call_id, event.call_id, titles)}{edited}{from_now_on(event)}"
            return event.approver, _because(what, event.comment)
        case ApprovalEscalated():
            return US, passed_on(event, _title(event.call_id, event.call_id, titles))
        case ApprovalExpired(action="allow"):
            return US, f"nobody answered in time, so it runs: {_title(event.call_id, event.call_id, titles)}"
        case ApprovalReused():
            return US, f"runs {_title(event.call_id, event.tool_name, titles)} {resting(event)}"
        case ApprovalDenied():
            return event.approver, _because(f"denied {_title(event.call_id, event.call_id, titles)}", event.reason)
        case ApprovalExpired():
            return US, f"nobody answered in time: {_title(event.call_id, event.call_id, titles)}"
        case HumanInputRequested():
            return US, f"asks a person ({event.action}): {event.question}"
        case HumanInputProvided():
            answer = in_words(event.action, event.value, event.verdict)
            return event.by, _because(
                f"answered {_title(event.call_id, event.call_id, titles)}: {answer}", event.comment
            )
        case HumanInputExpired():
            return US, f"nobody answered in time: {_title(event.call_id, event.call_id, titles)}"
        case RequestIgnored():
            return event.by, _ignored(event, titles)
        case StreamRepaired():
            return event.by, f"repaired the stream ({event.what}): {event.why}"
        case UnknownEvent():
            custom = NAME.fullmatch(event.type_name)
            actor, name = (custom["namespace"], custom["name"]) if custom else (US, event.type_name)
            return actor, f"{name} {_json(event.data)}"
        case _:
            assert_never(event)


def _named(breakpoint_: str | None) -> str:
    return f"the breakpoint {breakpoint_}" if breakpoint_ else "all breakpoints"


def _ruling(event: PolicyDecided, title: str) -> str:
    by = f"rule {event.rule} of {event.layer}" if event.rule else event.layer
    return f"says {event.decision} ({by}) to {title}: {event.reason}"


def _ignored(event: RequestIgnored, titles: dict[str, str]) -> str:
    title = titles.get(event.call_id or "")
    about = f" of {title}" if title else ""
    return f"asked for {event.request}{about}, which changed nothing: {event.problem}"


def _reply(event: LLMResponseReceived) -> str:
    calls = ", ".join(call.title for call in event.tool_calls)
    parts = [event.response_text.strip(), f"calls {calls}" if calls else ""]
    said = " → ".join(part for part in parts if part) or "said nothing"
    if event.problem is not None:
        return f"{said} (not taken: {event.problem})"
    return said if event.final or event.tool_calls else f"{said} ({event.stop_reason})"


def _again(event: LLMCallFailed) -> str:
    if not event.will_retry:
        return ""
    return "; tries again" if event.retry_in is None else f"; tries again in {event.retry_in:g} s"


def _title(call_id: str, otherwise: str, titles: dict[str, str]) -> str:
    return titles.get(call_id) or otherwise


def _because(what: str, why: str | None) -> str:
    return f"{what}: {why}" if why else what


def _attached(blocks: tuple[Block, ...]) -> str:
    return f" [with {_kinds(blocks)}]" if blocks else ""


def _kinds(blocks: tuple[Block, ...]) -> str:
    return ", ".join(str(block.get("type", "block")) for block in blocks)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _one_line(text: str) -> str:
    """Text without line breaks and control characters, no longer than fits."""
    head = " ".join(text[: LONGEST * 4].split())
    printable = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in head)
    return printable if len(printable) <= LONGEST and len(text) <= LONGEST * 4 else f"{printable[: LONGEST - 1]}…"


TIMELINE: Projection[Timeline] = Projection("timeline", 3, Timeline, evolve, json_codec(Timeline))
