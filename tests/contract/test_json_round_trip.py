"""Whatever models and tools put into JSON, the log gives it back unchanged."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eventlog.events import SessionPaused, ToolExecutionCompleted, UnknownEvent
from eventlog.log import AlreadyAppended, Appended, EventLog
from eventlog.streams import StreamName
from tests.contract.conftest import MakeEntry

texts = st.text(st.one_of(st.characters(codec=None, categories=None), st.sampled_from('\0\ud800\udfff␛=0d8x\\"n')))
integers = st.one_of(st.integers(), st.integers(-(2**70), 2**70), st.sampled_from([2**4096, -(2**4097), 10**4200]))
leaves = st.one_of(st.none(), st.booleans(), integers, st.floats(), texts)
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)


def exactly(value: Any) -> Any:
    """`value` in a form in which NaN equals itself, 1 is not 1.0 or True, and keys have no order."""
    match value:
        case dict():
            return {repr(key): exactly(item) for key, item in value.items()}
        case list():
            return [exactly(item) for item in value]
        case int():
            return type(value), value
        case _:
            return type(value), repr(value)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(value=values, text=texts)
@example(value={"␛": "␛␛0000", "␛=nan": "␛=nan", "nan": float("nan")}, text="␛=1")
@example(
    value=["\ud83d\ude00", "😀", "\\ud83d", -0.0, 0.0, 1e22, 10**22, 1e-7, 5e-324, 1.7976931348623157e308], text=""
)
async def test_any_json_survives(log: EventLog, stream: StreamName, entry: MakeEntry, value: Any, text: str) -> None:
    """Values, keys and plain text come back as they were, and a retry with them is recognised as one."""
    written = [
        entry(UnknownEvent(type_name="Theirs", data={"value": value, text: 1})),
        entry(ToolExecutionCompleted(call_id=text, tool_name="t", result=({"": value},), execution_time_ms=1)),
        entry(SessionPaused(by=text)),
    ]
    for each in written:
        assert isinstance(await log.append(stream, each), Appended)
        outcome = await log.append(stream, each)
        assert isinstance(outcome, AlreadyAppended)
        expected, found = each.event.model_dump(), outcome.recorded.event.model_dump()
        assert exactly(_lists(found)) == exactly(_lists(expected))


async def test_integers_of_any_length_survive(log: EventLog, stream: StreamName, entry: MakeEntry) -> None:
    """Python reads and writes no more than 4,300 decimal digits; the log does."""
    event = UnknownEvent(type_name="Huge", data={"value": [10**5000, -(10**5000)]})
    await log.append(stream, entry(event))
    [found] = [recorded.event async for recorded in log.read(stream)]
    assert isinstance(found, UnknownEvent)
    assert (found.data["value"] == event.data["value"]) is True


def _lists(value: Any) -> Any:
    """Tuples as the lists that JSON knows."""
    match value:
        case dict():
            return {key: _lists(item) for key, item in value.items()}
        case list() | tuple():
            return [_lists(item) for item in value]
        case _:
            return value


@pytest.mark.parametrize("depth", [100, 200])
async def test_nesting_survives(log: EventLog, stream: StreamName, entry: MakeEntry, depth: int) -> None:
    """JSON that is nested as deeply as anything we could have parsed is kept."""
    value: Any = "core"
    for _ in range(depth):
        value = [value]
    event = UnknownEvent(type_name="Deep", data={"value": value})
    await log.append(stream, entry(event, id_=uuid4()))
    assert [recorded.event async for recorded in log.read(stream)] == [event]
