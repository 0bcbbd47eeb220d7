"""Identities that say what they identify."""

from datetime import UTC, datetime
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from eventlog.ids import event_id, new_thread_id
from eventlog.streams import ThreadId, thread_id

THREAD = ThreadId("0193f1a2-7c00-7abc-8def-0123456789ab")
keys = st.text(st.characters(codec=None, categories=None))
starts = st.integers(0, 2**48 - 1)


@given(starts, keys)
def test_an_event_id_is_a_uuid_of_version_eight(start: int, key: str) -> None:
    """Any key, also one of lone surrogates, gives a well-formed UUIDv8."""
    made = event_id(THREAD, start, key)
    assert (made.version, made.variant) == (8, RFC_4122)
    assert UUID(str(made)) == made


@given(starts, keys)
def test_an_event_id_begins_with_the_start_of_its_thread(start: int, key: str) -> None:
    """Its first 48 bits are the milliseconds, so that ids of one time stand together in the index."""
    assert event_id(THREAD, start, key).int >> 80 == start


@given(starts, keys)
def test_the_same_key_gives_the_same_id(start: int, key: str) -> None:
    """An id is a pure function of its thread, its start and its key."""
    assert event_id(THREAD, start, key) == event_id(THREAD, start, key)


@given(st.sets(keys, min_size=2, max_size=50))
def test_other_keys_and_other_threads_give_other_ids(different: set[str]) -> None:
    """No two of many keys share an id, in one thread or in two."""
    threads = [THREAD, ThreadId("other")]
    made = {event_id(thread, 1_700_000_000_000, key) for thread in threads for key in different}
    assert len(made) == 2 * len(different)


def test_an_event_id_never_changes() -> None:
    """A log that was written by an older version is found again: this id is fixed for ever."""
    assert str(event_id(THREAD, 1_700_000_000_000, "step 1")) == "018bcfe5-6800-80fc-8db6-bae7b26040f4"


def test_a_thread_id_is_a_uuid_of_version_seven() -> None:
    """A new thread's id is unique, tells its time, and is fit to be part of a stream name."""
    made = [new_thread_id() for _ in range(100)]
    assert {UUID(each).version for each in made} == {7}
    assert len(set(made)) == 100
    assert [thread_id(each) for each in made] == made
    told = datetime.fromtimestamp((UUID(made[0]).int >> 80) / 1000, UTC)
    assert abs((datetime.now(UTC) - told).total_seconds()) < 60
