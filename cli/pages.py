"""How answers look to people. Whatever a model or a tool said is made `visible` before it is printed."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.json import JSON
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.answers import PromptReport, RequestReport, ThreadLine, ThreadReport
from cli.output import Output, as_json
from cli.question_pages import question_text
from cli.questions import LOOP
from cli.reading import taking_over
from cli.visible import one_line, visible
from projections.session import Status
from projections.timeline import Line

STYLES: Mapping[Status, str] = {
    "running": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "completed": "green",
    "failed": "red",
    "terminated": "red",
}
_LOUD = frozenset({"LLMCallFailed", "ToolExecutionFailed", "ToolExecutionOutcomeUnknown", "ErrorOccurred"})
_ASKING = frozenset(
    {
        "ApprovalRequested",
        "ApprovalDenied",
        "ApprovalExpired",
        "BreakpointReached",
        "BudgetExceeded",
        "SessionInterrupted",
    }
)


def plain(page: Console, text: str, style: str | None = None) -> None:
    """Print text as it is: nothing in it is markup, and lines are not broken."""
    page.print(Text(visible(text), style=style or ""), soft_wrap=True)


# -- one thread ------------------------------------------------------------------------------------


def started_page(page: Console, output: Output, report: ThreadReport) -> None:
    """A thread that has begun: its id alone, so that a shell can keep it."""
    plain(page, report.thread_id)
    output.note(f"follow it: perdure watch {report.thread_id}")


def said_page(page: Console, output: Output, report: ThreadReport, *, sent: bool) -> None:
    """A message that was taken, or sent as a signal."""
    plain(page, report.thread_id)
    done = "was sent as a signal" if sent else "was taken"
    output.note(f"the message {done}; see the answer: perdure watch {report.thread_id}")


def answer_page(page: Console, output: Output, report: ThreadReport) -> None:
    """What a thread came to: its answer alone on stdout, everything about it on stderr."""
    if report.answer is not None and not report.pending and report.status != "paused":
        plain(page, report.answer)
    output.note(" · ".join([f"thread {report.thread_id}", report.status, *_why(report), *counts(report)]))
    if not output.json:
        for need in needs(report).values():
            output.notes.print(need, soft_wrap=True)


def thread_page(page: Console, report: ThreadReport, lines: Sequence[Line]) -> None:
    """A thread: what happened, and where it stands."""
    for line in lines:
        page.print(timeline_row(line), soft_wrap=not page.is_terminal)
    if lines:
        page.print()
    status = Text(report.status, style=STYLES[report.status])
    head = Text.assemble("thread ", (report.thread_id, "bold"), " · ", status)
    page.print(Text(" · ").join([head, *(Text(visible(each)) for each in [*_why(report), *counts(report)])]))
    for need in needs(report).values():
        page.print(need, soft_wrap=True)
    if report.answer is not None:
        page.print()
        plain(page, report.answer)


def state_page(page: Console, state: object) -> None:
    """What a view says, as JSON over several lines."""
    text = visible(json.dumps(json.loads(as_json(state)), ensure_ascii=False, indent=2))
    page.print(JSON(text) if page.is_terminal else Text(text), soft_wrap=True)


def _why(report: ThreadReport) -> list[str]:
    """What is said of its state; a task ends with its problem, which is then not said twice."""
    return list(dict.fromkeys(each for each in (report.summary, report.problem) if each))


def counts(report: ThreadReport) -> list[str]:
    """What the thread has used so far."""
    cost = "cost not known" if report.cost_usd is None else f"${report.cost_usd:.4f}"
    return [_many(report.turns, "turn"), _many(report.tool_calls, "tool call"), f"{report.tokens:,} tokens", cost]


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def timeline_row(line: Line) -> Text:
    """One event as one line."""
    took = f"  {line.duration_ms / 1000:.1f} s" if line.duration_ms is not None else ""
    return Text.assemble(
        (f"{line.position:>4} ", "dim"),
        (f"{_since(line.since_start):>9}  ", "dim"),
        (f"{one_line(line.actor, 16):<16} ", "bold"),
        (visible(line.text), _style(line)),
        (took, "dim"),
    )


def happening_row(thread: str, line: Line) -> Text:
    """One event of many threads as one line."""
    return Text.assemble(
        (f"{line.time.astimezone():%H:%M:%S}  ", "dim"),
        (f"{one_line(thread, 36):<24}  ", "cyan"),
        (f"{one_line(line.actor, 16):<16} ", "bold"),
        (visible(line.text), _style(line)),
    )


def _style(line: Line) -> str:
    return "red" if line.kind in _LOUD else "yellow" if line.kind in _ASKING else ""


def _since(time: timedelta) -> str:
    seconds = time.total_seconds()
    if seconds < 60:
        return f"+{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"+{hours}:{minutes:02}:{rest:02}" if hours else f"+{minutes}:{rest:02}"


# -- questions and requests ------------------------------------------------------------------------


def needs(report: ThreadReport) -> dict[str, Text]:
    """What a person can do for the thread, each in words and under a key of its own."""
    if report.not_running:
        words = f"nothing runs it here: {report.not_running}; have it go on: {taking_over(report.thread_id)}"
        return {"not running": Text(visible(words), style="yellow")}
    found = {question.call_id: question_text(question) for question in report.pending}
    if LOOP in found:
        return found
    if report.status == "paused":
        where = f", {report.stopped_at}" if report.stopped_at else ""
        goes_on = f"it is paused{where}; let it go on: perdure resume {report.thread_id}"
        found[f"paused{where}"] = Text(visible(goes_on), style="yellow")
    elif report.stopped_at:
        goes_on = f"it was interrupted; say something, or let it go on: perdure resume {report.thread_id}"
        found["interrupted"] = Text(goes_on, style="yellow")
    return found


def request_page(page: Console, report: RequestReport) -> None:
    """What became of a request."""
    what = f"{report.request} {report.call_id}" if report.call_id else report.request
    done = "was sent as a signal" if report.sent == "signal" else "is done"
    plain(page, f"{what}: {done} · thread {report.thread_id} · {report.status}")


# -- many threads ----------------------------------------------------------------------------------


def list_page(page: Console, lines: Sequence[ThreadLine]) -> None:
    """Threads, one a line."""
    if not lines:
        plain(page, 'no threads yet: begin one with perdure start "…"', "dim")
        return
    table = _table("thread", "status", "pending", "started", "ended", "tenant")
    for line in lines:
        table.add_row(
            Text(visible(line.thread_id)),
            Text(_status(line), style=STYLES[line.status]),
            str(line.pending or ""),
            _moment(line.started_at),
            _moment(line.closed_at),
            Text(visible(line.tenant)),
        )
    page.print(table)


def _status(line: ThreadLine) -> str:
    """The status, with where the thread is stopped."""
    return visible(f"{line.status}, {line.stopped_at}" if line.stopped_at else line.status)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=column == "thread", overflow="fold")
    return table


def _moment(time: datetime | None) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}" if time else ""


# -- prompts and the system ------------------------------------------------------------------------


def prompt_page(page: Console, output: Output, report: PromptReport) -> None:
    """A model call's request: the JSON on stdout, whether it is the very one on stderr."""
    if page.is_terminal:
        page.print(JSON(visible(json.dumps(report.request, ensure_ascii=False))), soft_wrap=True)
    else:
        print(json.dumps(report.request, ensure_ascii=False, indent=2))
    verdict = "verified" if report.verified else "NOT verified"
    style = "green" if report.verified else "red"
    output.notes.print(f"[{style}]{verdict}[/]: {escape(report.why)}", highlight=False, soft_wrap=True)


def addresses_page(page: Console, answer: Mapping[str, Any]) -> None:
    """Where everything is."""
    worker = answer.get("worker")
    _rows(
        page,
        {
            "Temporal": answer["temporal"]["address"],
            "Temporal UI": answer["temporal"]["ui"],
            "database": answer["database"],
            "scripted model" if answer["model"] else "model": answer["model"] or "Claude",
            "home": answer["home"],
            "worker": f"process {worker['pid']}, log {worker['log']}" if worker else "none",
        },
    )


def doctor_page(page: Console, found: Mapping[str, Any]) -> None:
    """What is well and what is not."""
    for check in found["checks"]:
        mark = Text("ok  ", style="green") if check["ok"] else Text("FAIL", style="red")
        page.print(Text.assemble(mark, f"  {check['name']:<20}", visible(check["detail"])), soft_wrap=True)
        if check["remedy"]:
            page.print(Text(f"      → {visible(check['remedy'])}", style="yellow"), soft_wrap=True)
    page.print()
    _rows(page, {name: value for name, value in found["settings"].items() if value not in (None, [], ())})


def _rows(page: Console, rows: Mapping[str, object]) -> None:
    """Names and what they stand for; what is not there is left out."""
    grid = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        if value is not None:
            grid.add_row(Text(name, style="dim"), Text(visible(str(value)), overflow="fold"))
    page.print(grid)
