"""Views between processes: what a worker reads that has never seen a thread, and what becomes of bad snapshots."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from temporalio.testing import ActivityEnvironment

from activities.keeper import SHARE, SnapshotKeeper
from activities.model import ModelActivities
from activities.steps import ModelStep
from activities.views import Seen, Views
from bench.read import write
from bench.thread import START, entries
from eventlog.events import UserMessageAdded
from eventlog.log import Appended, Entry, Recorded
from eventlog.metadata import Metadata
from eventlog.postgres import PostgresEventLog
from eventlog.snapshots import Snapshot, Snapshots
from eventlog.streams import StreamName, ThreadId, stream_of
from llm.anthropic import AnthropicModel
from llm.clients import anthropic_client
from llm.pricing import Prices
from projections.composed import compose
from projections.evolution import SESSION
from projections.fold import Projection
from projections.tool_calls import TOOL_CALLS
from projections.transcript import TRANSCRIPT
from stack.scripted.answers import Reply
from stack.scripted.server import ScriptedServer
from tests.conftest import Database
from tests.contract.administrator import execute
from tools.plugins import load_tools
from tools.workbench import Workbench

LONG = 10_000
TOGETHER = compose(session=SESSION, transcript=TRANSCRIPT)


@dataclass
class Counted:
    """The log, and how many of its rows were read; and its snapshots, and what was kept of them."""

    log: PostgresEventLog
    rows: int = 0
    kept: list[Snapshot] = field(default_factory=list)

    async def chunks(self, stream: StreamName, start: int = 0, end: int | None = None) -> AsyncIterator[list[Recorded]]:
        """What the log gives."""
        async for chunk in self.log.chunks(stream, start, end):
            self.rows += len(chunk)
            yield chunk

    async def find(self, stream: StreamName, projection: str, version: str, at: int | None = None) -> Snapshot | None:
        """What is kept in the database."""
        return await self.log.snapshots.find(stream, projection, version, at)

    async def keep(self, snapshot: Snapshot) -> None:
        """Keep it in the database."""
        self.kept.append(snapshot)
        await self.log.snapshots.keep(snapshot)

    def views(self, keeper: SnapshotKeeper | None = None) -> Views:
        """Views of it: they only read."""
        return Views(self, keeper)  # type: ignore[arg-type]

    async def read(
        self, projection: Projection[Any], stream: StreamName, at: int | None = None, every: int = 50
    ) -> Seen[Any]:
        """Read as a new worker does, and leave nothing behind but a snapshot."""
        async with SnapshotKeeper.open(self, every) as keeper:
            seen = await self.views(keeper).read(projection, stream, deepcopy, at=at)
            await keeper.settled()
        return seen


@pytest.fixture
def counted(postgres_log: PostgresEventLog) -> Counted:
    """The log, counted."""
    return Counted(postgres_log)


async def thread(database: Database, events: int) -> StreamName:
    """A thread of so many events."""
    stream = stream_of(ThreadId(f"long-{events}"))
    await write(database.admin_url, stream, events)
    return stream


async def continue_it(log: PostgresEventLog, stream: StreamName, start: int, more: int) -> None:
    """Append what comes next."""
    for entry in entries(ThreadId(stream.partition("-")[2]), start + more)[start:]:
        await log.append(stream, entry)


async def test_a_model_call_in_a_long_thread_reads_only_what_is_new(
    counted: Counted, postgres_log: PostgresEventLog, database: Database, tmp_path: Path
) -> None:
    """Of 10,000 events, a worker's first call reads all, and its second the one that it did not write itself."""
    stream = await thread(database, LONG)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=stream.partition("-")[2])
    async with AsyncExitStack() as exits:
        server = await exits.enter_async_context(ScriptedServer(lambda _: Reply.text("done")))
        model = AnthropicModel(anthropic_client(api_key="key", base_url=server.url))
        exits.push_async_callback(model.close)
        toolbox = Workbench(load_tools([]), tmp_path)
        models = ModelActivities(postgres_log, counted.views(), model, toolbox, Prices.load())
        for step, rows in ((LONG, LONG + 1), (LONG + 1, 1)):
            counted.rows = 0
            said = Entry(uuid4(), UserMessageAdded(message="Go on.", sender="ana"), Metadata(at=START))
            asked = await postgres_log.append(stream, said)
            assert isinstance(asked, Appended)
            learned = await environment.run(models.call_model, ModelStep(started_ms=1, step=step, at=asked.position))
            assert [mark.event.type for mark in learned.marks] == ["LLMResponseReceived"]
            assert counted.rows == rows


async def test_a_step_in_a_long_thread_reads_only_what_is_new(
    counted: Counted, postgres_log: PostgresEventLog, database: Database
) -> None:
    """Of 10,000 events: with a warm view nothing but the new ones, with a cold one what came after the snapshot."""
    stream = await thread(database, LONG)
    async with SnapshotKeeper.open(counted) as keeper:
        views = counted.views(keeper)
        whole = await views.read(TRANSCRIPT, stream, deepcopy, at=LONG - 1)
        assert counted.rows == LONG
        await continue_it(postgres_log, stream, LONG, 7)
        for _ in range(2):
            await views.read(TRANSCRIPT, stream, deepcopy, at=LONG + 6)
            assert counted.rows == LONG + 7
        await keeper.settled()
    [kept] = counted.kept
    counted.rows = 0
    cold = await counted.read(TRANSCRIPT, stream)
    assert counted.rows == LONG + 6 - kept.position
    assert cold == await Views(postgres_log).read(TRANSCRIPT, stream, deepcopy)
    assert cold != whole


@pytest.mark.parametrize("projection", [SESSION, TRANSCRIPT, TOOL_CALLS, TOGETHER], ids=lambda each: each.name)
async def test_without_snapshots_everything_is_the_same(
    counted: Counted, database: Database, projection: Projection[Any]
) -> None:
    """A view from a snapshot is the view that is folded after all snapshots were deleted."""
    stream = await thread(database, 120)
    await counted.read(projection, stream, at=99)
    counted.rows = 0
    from_snapshot = await counted.read(projection, stream)
    assert counted.rows == 20
    await execute(database, "DELETE FROM perdure.snapshots")
    assert await counted.read(projection, stream) == from_snapshot
    assert counted.rows == 20 + 120


async def test_the_past_is_read_as_it_was(counted: Counted, database: Database) -> None:
    """A snapshot that is newer than the position asked for is not used, and stays."""
    stream = await thread(database, 120)
    before = await counted.read(SESSION, stream, at=59)
    await counted.read(SESSION, stream)
    assert [each.position for each in counted.kept] == [59, 119]
    counted.rows = 0
    assert await counted.read(SESSION, stream, at=59) == before
    assert counted.rows == 60
    await counted.read(SESSION, stream)
    assert counted.rows == 60


def _other_version(projection: Projection[Any]) -> Projection[Any]:
    return replace(projection, version=projection.version + 1)


def _unreadable(projection: Projection[Any]) -> Projection[Any]:
    def refuse(_: bytes) -> Any:
        raise ValueError("it cannot be read")

    assert projection.codec is not None
    return replace(projection, codec=replace(projection.codec, decode=refuse))


@pytest.mark.parametrize("other", [_other_version, _unreadable])
async def test_what_cannot_be_used_is_folded_and_replaced(
    counted: Counted, database: Database, other: Callable[[Projection[Any]], Projection[Any]]
) -> None:
    """A snapshot of another version, or one that nobody can read, makes no difference."""
    stream = await thread(database, 120)
    expected = await counted.read(SESSION, stream)
    counted.rows = 0
    assert await counted.read(other(SESSION), stream) == expected
    assert counted.rows == 120
    assert [each.version for each in counted.kept] == [SESSION.stamp, other(SESSION).stamp]


async def test_a_stream_that_was_taken_back_has_no_snapshot(counted: Counted, database: Database) -> None:
    """After a restore the stream may end before its snapshot: what stands in the log counts."""
    stream = await thread(database, 120)
    await counted.read(SESSION, stream)
    await execute(database, "DELETE FROM message_store.messages WHERE position >= 110")
    assert (await counted.read(SESSION, stream)).position == 109
    counted.rows = 0
    assert (await counted.read(SESSION, stream)).position == 109
    assert counted.rows == 0


@pytest.mark.parametrize("projection", [SESSION, TRANSCRIPT], ids=lambda each: each.name)
async def test_snapshots_of_a_growing_state_do_not_add_up_to_its_square(
    counted: Counted, database: Database, projection: Projection[Any]
) -> None:
    """Read at every step, all that is written stays below a multiple of what was read; what stays small comes often."""
    stream = await thread(database, 1_000)
    read = sum([each.size async for each in counted.log.read(stream)])
    async with SnapshotKeeper.open(counted) as keeper:
        views = counted.views(keeper)
        for at in range(4, 1_000, 5):
            await views.read(projection, stream, lambda _: None, at=at)
            await keeper.settled()
    assert sum(len(each.state) for each in counted.kept) <= read / SHARE
    apart = [after.position - before.position for before, after in pairwise(counted.kept)]
    assert min(apart) >= 50
    assert (max(apart) < 60) == (projection is SESSION)


async def test_a_short_thread_leaves_no_snapshot(counted: Counted, database: Database) -> None:
    """It is read in one page anyway."""
    stream = await thread(database, 49)
    await counted.read(TRANSCRIPT, stream)
    assert counted.kept == []
    await counted.read(TRANSCRIPT, stream, every=49)
    assert len(counted.kept) == 1


async def test_where_there_is_no_table_views_do_without(plain_log: PostgresEventLog, database: Database) -> None:
    """It is noted once, and asked for no more."""
    stream = await thread(database, 120)
    counted = Counted(plain_log)
    with capture_logs() as logs:
        async with SnapshotKeeper.open(counted) as keeper:
            for _ in range(3):
                await counted.views(keeper).read(SESSION, stream, deepcopy)
            await keeper.settled()
    assert counted.rows == 3 * 120
    assert [entry["event"] for entry in logs] == ["snapshots_not_available"]
    assert "perdure.snapshots" in logs[0]["problem"]
    assert counted.kept == []


async def test_a_state_that_cannot_be_kept_is_folded(counted: Counted, database: Database) -> None:
    """A codec that fails is noted once, and takes nothing else with it."""

    def refuse(_: object) -> bytes:
        raise TypeError("no bytes for this")

    assert SESSION.codec is not None
    unkept = replace(SESSION, codec=replace(SESSION.codec, encode=refuse))
    stream = await thread(database, 120)
    with capture_logs() as logs:
        async with SnapshotKeeper.open(counted) as keeper:
            for _ in range(2):
                await counted.views(keeper).read(compose(a=unkept), stream, deepcopy)
                await keeper.settled()
    assert counted.rows == 2 * 120
    assert [(entry["event"], entry["projection"]) for entry in logs] == [("snapshot_not_made", "(a:session)")]


@dataclass
class Slow:
    """A place for snapshots in which nothing ever arrives."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    given: list[Snapshot] = field(default_factory=list)

    async def find(self, stream: StreamName, projection: str, version: str, at: int | None = None) -> Snapshot | None:
        """Nothing."""

    async def keep(self, snapshot: Snapshot) -> None:
        """Wait for ever."""
        self.given.append(snapshot)
        self.begun.set()
        await asyncio.Event().wait()


async def test_nobody_waits_for_a_snapshot(
    counted: Counted, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading goes on while one is written, and closing drops it and leaves no task behind."""
    monkeypatch.setattr("activities.keeper.CLOSING", 0)
    stream, slow = await thread(database, 240), Slow()
    store: Snapshots = slow
    async with SnapshotKeeper.open(store) as keeper:
        views = counted.views(keeper)
        before = asyncio.all_tasks()
        await views.read(SESSION, stream, deepcopy, at=119)
        await slow.begun.wait()
        assert (await views.read(SESSION, stream, deepcopy)).position == 239
        [writing] = asyncio.all_tasks() - before
    assert writing.cancelled()
    assert [each.position for each in slow.given] == [119]
