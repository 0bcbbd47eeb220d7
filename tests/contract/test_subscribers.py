"""Functions of plugins that follow the log: every event they want, in order, and none lost for another's sake."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bootstrap import load_extensions, open_subscribers
from eventlog.consumer import Follower
from eventlog.dead_letters import DeadLetters
from eventlog.events import SessionPaused, SessionResumed
from eventlog.ids import new_thread_id
from eventlog.log import Recorded
from eventlog.postgres import PostgresEventLog
from eventlog.streams import AGENT, stream_of
from eventlog.subscriber import InvalidSubscriber, Subscriber, subscriber
from examples.custom_events import InvoicePaid
from settings import Settings
from tests.contract.conftest import MakeEntry

PATIENCE = 30.0
PLUGIN = '''
from pathlib import Path

from eventlog.log import Recorded
from eventlog.subscriber import subscriber

@subscriber(types="SessionPaused")
async def note(recorded: Recorded) -> None:
    """Write down who paused."""
    with Path("{file}").open("a") as file:
        file.write(recorded.event.by + "\\n")
'''


async def say(log: PostgresEventLog, entry: MakeEntry, words: Sequence[str]) -> None:
    """Somebody pauses a session and resumes it, for each word."""
    stream = stream_of(new_thread_id())
    for word in words:
        await log.append(stream, entry(SessionPaused(by=word)))
        await log.append(stream, entry(SessionResumed(by=word)))


def follower(log: PostgresEventLog, each: Subscriber) -> Follower:
    """What a worker runs for it."""
    return Follower(log.feed, each.consumer, DeadLetters(log).set_aside, each.pace)


async def test_it_is_called_with_what_it_wants_in_order(postgres_log: PostgresEventLog, entry: MakeEntry) -> None:
    """Only events of its types, each once; the next process goes on after them."""
    told: list[str] = []

    @subscriber(types=(SessionPaused, InvoicePaid))
    async def note(recorded: Recorded) -> None:
        assert isinstance(recorded.event, SessionPaused)
        told.append(recorded.event.by)

    assert note.types == {"SessionPaused", "acme.InvoicePaid"}
    await say(postgres_log, entry, ["a", "b"])
    assert await follower(postgres_log, note).catch_up()
    await say(postgres_log, entry, ["c"])
    assert await follower(postgres_log, note).catch_up()
    assert told == ["a", "b", "c"]


async def test_one_that_fails_now_and_then_loses_and_doubles_nothing(
    postgres_log: PostgresEventLog, entry: MakeEntry
) -> None:
    """What it raises is tried again; what it has dealt with before that is not given to it again."""
    told: list[str] = []

    @subscriber(types=SessionPaused, attempts=2)
    async def note(recorded: Recorded) -> None:
        assert isinstance(recorded.event, SessionPaused)
        told.append(recorded.event.by)
        if told.count(recorded.event.by) == 1 and recorded.event.by == "b":
            raise ConnectionError("not now")

    await say(postgres_log, entry, ["a", "b", "c"])
    assert await follower(postgres_log, note).catch_up()
    assert told == ["a", "b", "b", "c"]
    assert await DeadLetters(postgres_log).open() == []


async def test_what_it_never_takes_is_a_dead_letter(postgres_log: PostgresEventLog, entry: MakeEntry) -> None:
    """An event it always fails at, or hangs at, is set aside with the reason, and the next ones come all the same."""
    told: list[str] = []

    @subscriber(types=SessionPaused, attempts=1, timeout=0.05)
    async def note(recorded: Recorded) -> None:
        assert isinstance(recorded.event, SessionPaused)
        if recorded.event.by == "bad":
            raise ValueError("cannot read it")
        if recorded.event.by == "slow":
            await asyncio.Event().wait()
        told.append(recorded.event.by)

    await say(postgres_log, entry, ["bad", "slow", "good"])
    assert await follower(postgres_log, note).catch_up()
    assert told == ["good"]
    letters = await DeadLetters(postgres_log).open()
    assert [letter.died.target for letter in letters] == ["plugin:note", "plugin:note"]
    assert letters[0].reason == "ValueError: cannot read it"
    assert letters[1].reason.startswith("TimeoutError")


async def test_a_worker_runs_those_of_plugins(
    postgres_log: PostgresEventLog, entry: MakeEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module of PERDURE_PLUGINS that holds nothing but a subscriber is a plugin, and follows the log."""
    noted = tmp_path / "noted"
    (tmp_path / "following_plugin.py").write_text(PLUGIN.format(file=noted))
    monkeypatch.syspath_prepend(tmp_path)
    settings = Settings(plugins=("following_plugin",))
    [found] = load_extensions(settings).of(Subscriber)
    assert found.name == "plugin:note"
    await say(postgres_log, entry, ["a"])
    async with open_subscribers(settings, postgres_log), asyncio.timeout(PATIENCE):
        await say(postgres_log, entry, ["b"])
        while not noted.exists() or noted.read_text().split() != ["a", "b"]:
            await asyncio.sleep(0.02)


async def test_the_end_of_the_category_is_known(postgres_log: PostgresEventLog, entry: MakeEntry) -> None:
    """Whoever follows from now on begins after the newest event of the agents' category."""
    before = await postgres_log.feed.newest(AGENT)
    await say(postgres_log, entry, ["a"])
    newest = await postgres_log.feed.newest(AGENT)
    assert newest > before
    assert [each async for each in postgres_log.read_category(AGENT, newest + 1)] == []


def test_what_is_wrong_with_one_is_said() -> None:
    """A function that is not async, an unknown type, or times that make no sense are refused in words."""

    def blocking(_: Recorded) -> None: ...

    async def fine(_: Recorded) -> None: ...

    with pytest.raises(InvalidSubscriber, match="async def"):
        subscriber(blocking)  # type: ignore[arg-type]
    with pytest.raises(InvalidSubscriber, match="no events of the type 'SessionPause'"):
        subscriber(types="SessionPause")(fine)
    with pytest.raises(InvalidSubscriber, match="attempts is 1 or more"):
        subscriber(attempts=0)(fine)
    fine.__name__ = "no name"
    with pytest.raises(InvalidSubscriber, match="letters, digits"):
        subscriber(fine)
