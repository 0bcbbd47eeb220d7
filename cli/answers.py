"""What the commands answer under `--json`: every key, in one place. Keys are added, never renamed or taken away.

    start, continue, show          ThreadReport  (start adds `existed`, show adds `timeline`)
    answer, approve, deny, pause,  RequestReport
    resume, terminate, record,
    interrupt, steer, step, break
    pending                        {"pending": [PendingQuestion, …]}
    list                           {"threads": [ThreadLine, …]}
    show --events                  {"thread_id": …, "events": [event, …]}
    watch, replay                  one event a line as it happens, then a ThreadReport; all threads': each event
                                   with `thread_id`, and no report
    view                           {"view", "version", "thread_id", "position", "state": what the view says}
    prompt                         PromptReport
    verify                         Report  (verification/verdict.py)
    export, import                 {"thread_id", "events", "file", "bytes"}, {"thread_id", "events", "added"}
    schema export, schema check    {"folder", "written": [name, …]}, {"ok", "problems": [Problem, …]}
    up                             {"temporal": {"address", "ui"}, "database", "model", "home", "attached", "worker"}
    doctor                         the first four of these, "ok", "settings" and "checks", each
                                   {"name", "ok", "detail", "remedy"}
    worker                         {"task_queue", "temporal": {"address"}, "pid"}, when it works
    down                           {"stopped": [name, …], "home"}
    demo                           {"ok", "problems", "report", "killed", "taken_over", …} (demonstration/pages.py)
    anything that goes wrong       {"error": {"kind": …, "message": …, "remedy": …}}

An event is {"position", "global_position", "id", "type", "time", "data", "metadata"}. Times are ISO 8601 in UTC;
what is not known or not there is null.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.exits import ExitCode
from eventlog.events import AnyEvent, UnknownEvent
from eventlog.log import Recorded
from eventlog.terms import Mode
from projections.session import Status


@dataclass(frozen=True, slots=True)
class PendingQuestion:
    """One question that waits for a person."""

    thread_id: str
    call_id: str
    tool: str
    arguments: Mapping[str, Any]
    """Exactly what will run if the answer is yes."""
    question: str
    reason: str
    risk: str | None
    """None where nothing is run."""
    expires_at: datetime | None
    """None where it waits for ever."""
    kind: str
    """approval; confirm, choose, input, upload or review; budget"""
    tenant: str
    position: int
    """Of the event that says what is asked: an answer to anything else does nothing."""
    inquiry: Mapping[str, Any] | None
    """What kind of answer is expected, where it is neither leave nor a budget."""
    quorum: int
    """How many people must say yes."""
    votes: tuple[str, ...]
    """Who has said it."""
    approvers: tuple[tuple[str, ...], ...]
    """Patterns of the names of those who may answer: a person must fit one of each list; none: anyone."""
    escalated: int
    """How often nobody had answered in time, so that others were asked."""
    edited_by: str | None
    """Who put other arguments in the place of those that were asked about; they are those above."""
    self_approval: bool
    """Whether whoever started the thread may say yes."""
    token: bool
    """Whether an answer must show the question's token."""


@dataclass(frozen=True, slots=True)
class ThreadReport:
    """Where a thread stands."""

    thread_id: str
    status: Status
    position: int
    """Of the last event; -1 where nothing has been written yet."""
    mode: Mode
    started_at: datetime | None
    call_id: str | None
    """The first call that waits for a person."""
    pending: tuple[PendingQuestion, ...]
    answer: str | None
    """The final answer of a task; the last reply of a chat."""
    result: Any
    """The final answer as JSON, where a schema was asked for."""
    reason: str | None
    """How it ended: success, failure, timeout, limit or terminated."""
    summary: str | None
    """Why it ended, in a sentence."""
    problem: str | None
    """Why the model could not be asked, until something changes."""
    turns: int
    tool_calls: int
    tokens: int
    cost_usd: float | None
    """None where some call's price is not known."""
    stopped_at: str | None = None
    """Where it was stopped, in words: by a breakpoint, after one step, or by an interruption."""
    breakpoints: tuple[str, ...] = ()
    """Those that are set, by id."""
    not_running: str | None = None
    """Why nothing runs it here, where it has not ended and nothing does."""

    @property
    def ended(self) -> bool:
        """Whether nothing will happen any more."""
        return self.status in {"completed", "failed", "terminated"}

    @property
    def exit(self) -> ExitCode:
        """The exit code of a command that waited for this."""
        match self.status:
            case "failed" | "terminated":
                return ExitCode.FAILED
            case _ if self.not_running:
                return ExitCode.FAILED
            case "paused":
                return ExitCode.WAITING
            case "waiting" if self.pending or self.stopped_at:
                return ExitCode.WAITING
            case "waiting" if self.problem:
                return ExitCode.FAILED
            case _:
                return ExitCode.OK


@dataclass(frozen=True, slots=True)
class RequestReport:
    """What became of a request to a thread."""

    thread_id: str
    request: str
    """approve, deny, message, pause, record, resume or terminate"""
    call_id: str | None
    sent: str
    """update: the thread has taken it; signal: it will be read when a worker runs."""
    position: int | None
    """Of the event the request made; null where it was sent as a signal."""
    status: Status


@dataclass(frozen=True, slots=True)
class ThreadLine:
    """A thread in a list."""

    thread_id: str
    status: Status
    started_at: datetime | None
    closed_at: datetime | None
    tenant: str
    pending: int
    """Questions that wait for a person."""
    stopped_at: str | None = None
    """Where it was stopped, in words: by a breakpoint, after one step, or by an interruption."""


@dataclass(frozen=True, slots=True)
class PromptReport:
    """One model call's request, rendered again."""

    thread_id: str
    call: int
    """1 for the first model call of the thread, 2 for the second, …"""
    position: int
    """Where the call stands in the stream."""
    at: int
    """The last position the model was shown."""
    model: str
    verified: bool
    """Whether these are the very bytes that were sent, by their SHA-256."""
    why: str
    """What `verified` rests on, or what has changed since."""
    request_sha256: str
    request: Any
    """The HTTP body, as JSON."""


def event_json(recorded: Recorded) -> dict[str, Any]:
    """An event as the log has it."""
    name, data = _told(recorded.event)
    return {
        "position": recorded.position,
        "global_position": recorded.global_position,
        "id": str(recorded.id),
        "type": name,
        "time": recorded.time,
        "data": data,
        "metadata": recorded.metadata.model_dump(mode="json", exclude_none=True),
    }


def _told(event: AnyEvent) -> tuple[str, Mapping[str, Any]]:
    """The type and the data, as they stand in the row."""
    if isinstance(event, UnknownEvent):
        return event.type_name, event.data
    # Not pydantic's JSON mode: it refuses lone halves of characters and deep nesting, and models write both.
    return event.type, event.model_dump(exclude={"type"})
