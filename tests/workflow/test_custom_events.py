"""Events of plugins: recorded by tools and from outside, once, and without a say in what happens next."""

from decimal import Decimal
from typing import Any

import pytest

from cli.reading import Reading
from eventlog.custom import LARGEST, CustomEvent, RefusedEvent
from eventlog.events import RequestIgnored, ToolExecutionCompleted, ToolExecutionFailed, UnknownEvent
from eventlog.log import Recorded
from eventlog.streams import ThreadId
from eventlog.vocabulary import Vocabulary
from projections.decide import decide
from projections.requests import Record
from projections.session import Session
from stack.scripted.answers import Reply
from tests.workflow.conftest import Play
from tests.workflow.test_people import refused
from tests.workflow.world import World
from tools.context import ToolContext
from tools.errors import ToolFailed, ToolUnavailable
from tools.tool import Tool, tool


class InvoicePaid(CustomEvent):
    """An invoice was paid."""

    namespace = "acme"
    version = 2
    upcasts = {1: lambda data: {"amount": "0", **data}}  # noqa: RUF012 - as a plugin's author would write it
    invoice: str
    amount: Decimal

    def headline(self) -> str:
        """The event in a line."""
        return f"invoice {self.invoice}\nis paid: {self.amount}"


class Tried(CustomEvent):
    """Somebody tried something."""

    namespace = "acme"
    attempt: int


VOCABULARY = Vocabulary([InvoicePaid, Tried])


@tool(effect="read_only")
async def pay(context: ToolContext) -> str:
    """Pay an invoice, and record it from the event loop."""
    context.record(InvoicePaid(invoice="17", amount=Decimal("39.90")))
    context.record(Tried(attempt=context.attempt))
    return "paid"


@tool(effect="idempotent")
def pay_at_last(context: ToolContext) -> str:
    """Pay an invoice at the second attempt."""
    context.record(Tried(attempt=context.attempt))
    if context.attempt == 1:
        raise ToolUnavailable("the bank is closed", retry_after=0.01)
    context.record(InvoicePaid(invoice="17", amount=Decimal(1)))
    context.record(InvoicePaid(invoice="18", amount=Decimal(2)), key="18")
    return "paid"


@tool(effect="unsafe", quick=True)
def fail_to_pay(context: ToolContext) -> str:
    """Fail, having recorded something."""
    context.record(Tried(attempt=context.attempt))
    raise ToolFailed("no money")


@tool(effect="read_only")
def record_nonsense(context: ToolContext) -> str:
    """Record what cannot be."""
    told = []
    for event, key in (
        ({"type": "acme.Tried"}, None),
        (InvoicePaid(invoice="x" * LARGEST, amount=Decimal(1)), None),
        (Tried(attempt=1), ""),
        (Tried(attempt=1), "one"),
        (Tried(attempt=1), "one"),
    ):
        try:
            context.record(event, key=key)  # type: ignore[arg-type] # on purpose
        except RefusedEvent as error:
            told.append(str(error))
    for number in range(999):
        context.record(Tried(attempt=number))
    with pytest.raises(RefusedEvent, match="one call may record 1,000 events"):
        context.record(Tried(attempt=0))
    return "\n".join(told)


OUTCOMES = (ToolExecutionCompleted, ToolExecutionFailed)


def will_retry(recorded: Recorded) -> bool:
    """Whether a failure is followed by another attempt."""
    return isinstance(recorded.event, ToolExecutionFailed) and recorded.event.will_retry


def custom(world_events: list[Recorded]) -> list[Recorded]:
    """The plugins' events among these."""
    return [each for each in world_events if isinstance(each.event, UnknownEvent)]


async def ran(play: Play, made: Tool) -> tuple[World, list[Recorded]]:
    """A world in which this tool was called once, and what happened there."""
    plays = {"go": [Reply.tools((made.name, {}, "call_1")), Reply.text("done")]}
    world = await play(plays, [made], vocabulary=VOCABULARY)
    handle = await world.start("go", principal="ben")
    assert (await world.done(handle))["status"] == "completed"
    return world, await world.recorded(handle.id)


@pytest.mark.parametrize("made", [pay, pay_at_last, fail_to_pay], ids=lambda made: made.name)
async def test_what_a_tool_records_stands_between_intent_and_outcome(play: Play, made: Tool) -> None:
    """It follows from the intent, in the order it was recorded, whether the tool is async, quick, or fails."""
    _, events = await ran(play, made)
    types = [each.event.type for each in events]
    intent = types.index("ToolExecutionRequested")
    [outcome] = [each.position for each in events if isinstance(each.event, OUTCOMES) and not will_retry(each)]
    found = custom(events)
    assert found
    assert all(intent < each.position < outcome for each in found)
    assert {each.metadata.causation_id for each in found} == {events[intent].id}
    assert {each.metadata.principal for each in found} == {"ben"}


async def test_a_recorded_event_is_read_as_its_class(play: Play) -> None:
    """Its fields come back as they were, and its version stands beside it."""
    _, events = await ran(play, pay)
    paid, tried = custom(events)
    assert InvoicePaid.read(paid) == InvoicePaid(invoice="17", amount=Decimal("39.90"))
    assert InvoicePaid.read(tried) is None
    assert (paid.metadata.schema_version, tried.metadata.schema_version) == (2, 1)


async def test_a_tool_that_is_tried_again_records_once(play: Play) -> None:
    """The second attempt's first event of a class is the first attempt's, which stands; new ones are added."""
    _, events = await ran(play, pay_at_last)
    read = [Tried.read(each) or InvoicePaid.read(each) for each in custom(events)]
    assert read == [
        Tried(attempt=1),
        InvoicePaid(invoice="17", amount=Decimal(1)),
        InvoicePaid(invoice="18", amount=Decimal(2)),
    ]
    [failed] = [each.event for each in events if isinstance(each.event, ToolExecutionFailed)]
    assert failed.will_retry


async def test_what_cannot_be_recorded_is_told_to_the_tool(play: Play) -> None:
    """What is no event, too large, too much, or has no key or one twice is refused in words; the rest is written."""
    _, events = await ran(play, record_nonsense)
    [done] = [each.event for each in events if isinstance(each.event, ToolExecutionCompleted)]
    nothing, large, empty, twice = done.result[0]["text"].splitlines()
    assert nothing.startswith("dict is no event")
    assert "may have 262,144" in large
    assert "a key has 1 to 200 printable characters" in empty
    assert "acme.Tried was recorded under the key 'one' before" in twice
    assert len(custom(events)) == 1_000


async def test_a_call_that_is_over_records_nothing(play: Play) -> None:
    """A tool that goes on when its call has ended is told so, and the stream is left alone."""
    kept: list[ToolContext] = []

    @tool(effect="read_only")
    def keep(context: ToolContext) -> str:
        """Keep the context."""
        kept.append(context)
        return "kept"

    _, events = await ran(play, keep)
    with pytest.raises(RefusedEvent, match="comes too late"):
        kept[0].record(Tried(attempt=1))
    assert custom(events) == []


async def chatting(play: Play) -> tuple[World, Any]:
    """A chat that waits for its next message."""
    world = await play({"talk": [Reply.text("yes?")]}, vocabulary=VOCABULARY)
    handle = await world.start("talk", mode="chat", tenant="acme")
    await world.until(handle.id, lambda session: session.status == "waiting" and session.turns == 1)
    return world, handle


async def test_an_event_is_recorded_from_outside(play: Play) -> None:
    """It is written as its class writes it, an older shape in the newest; what waits goes on waiting."""
    world, handle = await chatting(play)
    accepted = await handle.execute_update(
        "record", {"type": "acme.InvoicePaid", "data": {"invoice": "17", "amount": 39.9}, "by": "ana"}
    )
    await handle.execute_update("record", {"type": "acme.InvoicePaid", "data": {"invoice": "18"}, "version": 1})
    first, second = custom(await world.recorded(handle.id))
    assert accepted == {"position": first.position}
    assert isinstance(first.event, UnknownEvent)
    assert first.event.data == {"invoice": "17", "amount": "39.9"}
    assert (first.metadata.principal, first.metadata.tenant) == ("ana", "acme")
    assert InvoicePaid.read(second) == InvoicePaid(invoice="18", amount=Decimal(0))
    assert second.metadata.schema_version == 2
    assert (await world.session(handle.id)).status == "waiting"


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"type": "acme.Lost", "data": {}}, "there is no event 'acme.Lost' (there are: acme.InvoicePaid, acme.Tried)"),
        ({"type": "SessionCompleted", "data": {}}, "there is no event 'SessionCompleted'"),
        ({"type": "acme.Tried", "data": {"attempt": "once"}}, "attempt: Input should be a valid integer"),
        ({"type": "acme.Tried", "data": {"attempt": 1, "more": 2}}, "more: Extra inputs are not permitted"),
        ({"type": "acme.Tried", "data": {"attempt": 1}, "version": 2}, "has no version 2: the newest is 1"),
        ({"type": "acme.InvoicePaid", "data": {"invoice": "x" * LARGEST, "amount": 1}}, "may have 262,144"),
        ({"type": "acme.Tried"}, "data: Field required"),
    ],
)
async def test_what_is_no_event_is_refused(play: Play, request_: dict[str, Any], problem: str) -> None:
    """An update is refused in words, a signal leaves a record, and the thread goes on."""
    world, handle = await chatting(play)
    assert problem in await refused(handle, "record", request_)
    await handle.signal("record", request_)
    await handle.execute_update("pause")
    ignored = [each for each in await world.events(handle.id) if isinstance(each, RequestIgnored)]
    assert {each.request for each in ignored} == {"record"}
    assert problem in ignored[-1].problem
    assert custom(await world.recorded(handle.id)) == []


def test_nothing_is_recorded_after_the_end() -> None:
    """A thread that has ended takes no event, and says so."""
    request = Record(type="acme.Tried", data={"attempt": 1}, by="ana")
    ignored = decide(Session(completed="success"), request)
    assert ignored == RequestIgnored(request="record", by="ana", problem="the session has ended (success)")


async def test_people_read_a_headline_where_the_plugin_is(play: Play) -> None:
    """The timeline tells the event by its class, in one line; without the class by its name and data."""
    world, events = await ran(play, pay)
    thread = ThreadId(world.handles[0].id)
    [paid, _] = custom(events)
    for headline, text in (
        (VOCABULARY.headline, "invoice 17 is paid: 39.90"),
        (lambda _: "", 'InvoicePaid {"amount": "39.90", "invoice": "17"}'),
    ):
        reading = Reading(world.log, thread, headline)
        await reading.catch_up()
        line = reading.lines[paid.position]
        assert (line.kind, line.actor) == ("acme.InvoicePaid", "acme")
        assert line.text == text
