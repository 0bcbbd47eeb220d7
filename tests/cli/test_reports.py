"""What is told of a thread, folded from its stream alone."""

import io
import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from cli.answers import event_json
from cli.exits import ExitCode
from cli.output import Output, as_json
from cli.pages import thread_page
from cli.reading import Reading
from eventlog.events import AnyEvent, ApprovalDenied, LLMCallFailed, SessionPaused, SessionTerminationRequested
from eventlog.log import EventLog
from eventlog.memory import MemoryEventLog
from eventlog.streams import stream_of
from tests.cli.happenings import asked, began, heard, over, replied, told, wants

ASKING = (began(), heard("write"), replied("", wants("c1", path="a")), asked("c1", path="a"))
CHAT = (began(mode="chat"), heard("hi"), replied("ho"))


async def read(*events: AnyEvent, log: EventLog | None = None) -> Reading:
    """What is known of a thread in which this happened."""
    log = log or MemoryEventLog()
    reading = Reading(log, await told(log, *events))
    await reading.catch_up()
    return reading


@pytest.mark.parametrize(
    ("events", "status", "code"),
    [
        ((began(), heard("hi")), "running", ExitCode.OK),
        (ASKING, "waiting", ExitCode.WAITING),
        (CHAT, "waiting", ExitCode.OK),
        ((*CHAT, SessionPaused(by="ana")), "paused", ExitCode.WAITING),
        # The model cannot be asked: nobody need approve anything, but it is no success either.
        (
            (
                *CHAT,
                heard("more"),
                LLMCallFailed(step=2, kind="authentication", error_message="no", retry_count=0, will_retry=False),
            ),
            "waiting",
            ExitCode.FAILED,
        ),
        ((began(), heard("hi"), replied("ho"), over("ho")), "completed", ExitCode.OK),
        ((*CHAT, over(reason="timeout")), "completed", ExitCode.OK),
        ((began(), heard("hi"), over(reason="failure")), "failed", ExitCode.FAILED),
        ((began(), heard("hi"), over(reason="limit")), "failed", ExitCode.FAILED),
        ((began(), heard("hi"), over(reason="terminated")), "terminated", ExitCode.FAILED),
        # It waited, but is about to end: waiting for it goes on.
        ((*CHAT, SessionTerminationRequested(by="ana")), "running", ExitCode.OK),
    ],
)
async def test_each_state_has_its_status_and_exit_code(
    events: tuple[AnyEvent, ...], status: str, code: ExitCode
) -> None:
    """A command that waited ends by what the thread came to."""
    report = (await read(*events)).report()
    assert (report.status, report.exit) == (status, code)


async def test_a_question_is_reported_until_it_is_answered() -> None:
    """`call_id` is the first call that waits, and null when none does."""
    log = MemoryEventLog()
    report = (await read(*ASKING, log=log)).report()
    assert report.call_id == "c1"
    assert [(each.call_id, each.arguments, each.risk) for each in report.pending] == [("c1", {"path": "a"}, "medium")]
    denied = (await read(*ASKING, ApprovalDenied(call_id="c1", approver="ana", reason="no"))).report()
    assert (denied.call_id, denied.pending, denied.status) == (None, (), "running")


async def test_the_answer_of_a_chat_is_its_last_reply() -> None:
    """A task has an answer when it has ended, a chat as soon as it has replied."""
    assert (await read(*CHAT)).report().answer == "ho"
    assert (await read(began(), heard("hi"), replied("ho"))).report().answer is None
    assert (await read(began(), heard("hi"), replied("ho"), over("ho"))).report().answer == "ho"


async def test_a_cost_that_is_not_known_is_not_zero() -> None:
    """One call without a price makes the sum unknown."""
    assert (await read(*CHAT)).report().cost_usd == 0.5
    unpriced = replied("ho", cost=None)
    assert (await read(began(mode="chat"), heard("hi"), unpriced)).report().cost_usd is None


async def test_a_stream_is_read_on_from_where_it_was() -> None:
    """Catching up twice gives what catching up once does, and a position in the past shows the past."""
    log = MemoryEventLog()
    whole = await read(*ASKING, log=log)
    steps = Reading(log, whole.thread)
    assert [len(await steps.catch_up(at)) for at in (0, 2, 2, None)] == [1, 2, 0, 1]
    assert steps.report() == whole.report()


async def test_the_keys_of_the_json_are_those_that_are_documented() -> None:
    """What scripts rely on: these keys, in this order, whatever the thread's state."""
    keys = [
        *("thread_id", "status", "position", "mode", "started_at", "call_id", "pending", "answer", "result"),
        *("reason", "summary", "problem", "turns", "tool_calls", "tokens", "cost_usd", "stopped_at", "breakpoints"),
        "not_running",
    ]
    for events in (ASKING, CHAT, (began(),)):
        report = (await read(*events)).report()
        told_ = json.loads(as_json(report))
        assert list(told_) == list(asdict(report)) == keys
        assert told_["started_at"] == "2026-01-01T12:00:00Z"


async def test_an_event_is_told_whole() -> None:
    """Raw events have their place, type, time, content and metadata."""
    log = MemoryEventLog()
    thread = await told(log, began(), heard("größer \ud800"))
    events = [event_json(recorded) async for recorded in log.read(stream_of(thread))]
    assert [event["type"] for event in events] == ["SessionStarted", "UserMessageAdded"]
    keys = ["position", "global_position", "id", "type", "time", "data", "metadata"]
    assert [list(json.loads(as_json(event))) for event in events] == [keys, keys]
    assert events[1]["data"]["sender"] == "ana"


async def test_an_event_is_told_whatever_a_model_said() -> None:
    """Deep nesting, halves of characters and numbers beyond all numbers are no reason to keep an event back."""
    deep: dict[str, Any] = {"k\udfff": "\ud800", "n": float("inf")}
    for _ in range(300):
        deep = {"a": deep}
    log = MemoryEventLog()
    thread = await told(log, began(), asked("c1", **deep))
    *_, event = [event_json(recorded) async for recorded in log.read(stream_of(thread))]
    read_again = json.loads(as_json(event), parse_constant=pytest.fail)["data"]["arguments"]
    for _ in range(300):
        read_again = read_again["a"]
    assert read_again == {"k\udfff": "\ud800", "n": "Infinity"}


async def test_what_a_model_says_is_printed_and_not_obeyed() -> None:
    """Markup stands as it is, escape sequences are shown, and no colour reaches what is no terminal."""
    reading = await read(began(mode="chat"), heard("hi"), replied("[red]not red[/red] \x1b[31mnor this"))
    page = Console(file=io.StringIO(), width=200)
    thread_page(page, reading.report(), reading.lines)
    assert isinstance(page.file, io.StringIO)
    printed = page.file.getvalue()
    assert "[red]not red[/red] \\x1b[31mnor this" in printed
    assert "\x1b" not in printed


async def test_the_exact_arguments_are_shown_to_who_must_decide() -> None:
    """Nothing of the arguments is cut, and nothing in them can hide the rest."""
    long = "x" * 5000 + "\u202eend"
    events = (began(), heard("write"), replied("", wants("c1")), asked("c1", content=long))
    reading = await read(*events)
    page = Console(file=io.StringIO(), width=80)
    thread_page(page, reading.report(), ())
    assert isinstance(page.file, io.StringIO)
    assert "x" * 5000 + "\\u202eend" in page.file.getvalue()


def test_json_is_one_line_of_whatever_the_terminal_can_show(capsys: pytest.CaptureFixture[str]) -> None:
    """An answer is one line of JSON; hints for people are left out."""
    output = Output(as_json=True)
    output.note("a hint")
    output.answer({"text": "a\nb", "cost": Decimal("0.25")}, lambda page: page.print("for people"))
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert json.loads(said.out) == {"text": "a\nb", "cost": 0.25}
    assert said.err == ""
