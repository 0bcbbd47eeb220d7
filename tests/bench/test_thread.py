"""The thread that benchmarks read is one that could have happened."""

from bench.thread import entries
from eventlog.log import Recorded
from eventlog.streams import ThreadId, stream_of
from projections.invariants.catalogue import breaches


def test_every_event_has_its_cause_in_the_thread() -> None:
    """The first has none, every other one that which was before it."""
    thread = ThreadId("long")
    written = enumerate(entries(thread, 300))
    events = [
        Recorded(each.id, stream_of(thread), position, position, each.metadata.at, each.event, each.metadata)
        for position, each in written
    ]
    assert events[0].metadata.causation_id is None
    assert [breach for breach in breaches(events) if breach.invariant == "CausesComeFirst"] == []
