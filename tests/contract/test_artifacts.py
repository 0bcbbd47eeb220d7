"""Large content is kept beside the log, under its own hash, and nobody who writes or reads events notices."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb
from structlog.testing import capture_logs

from cli.errors import Unreachable
from cli.translation import translated
from eventlog.artifacts.bucket import BucketArtifacts
from eventlog.artifacts.memory import MemoryArtifacts
from eventlog.artifacts.overflow import LIMIT, Overflow
from eventlog.artifacts.references import fill, referred, thin
from eventlog.artifacts.store import ArtifactStore
from eventlog.artifacts.table import TableArtifacts
from eventlog.events import SessionPaused, UnknownEvent
from eventlog.log import AlreadyAppended, Appended, EventLog, IdConflict, LogCorrupted, LogMisconfigured, LogUnavailable
from eventlog.memory import MemoryEventLog
from eventlog.pool import PoolTerms, open_pool
from eventlog.postgres import PostgresEventLog
from eventlog.statements import Statements
from eventlog.streams import Category, StreamName
from tests.bucket import Bucket, bucket_server
from tests.conftest import Database
from tests.contract.conftest import MakeEntry

ODD = '\0 \ud800 ␛241b ␛@sha256: " \\ \n ☃ '
LARGE = ODD * 20_000


def digest_of(content: bytes) -> str:
    """What the content is kept under."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
async def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bucket]:
    """A bucket of the test's own, with everything in the environment that it takes to go in."""
    async with bucket_server(tmp_path / "s3") as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        yield server


# -- the stores -----------------------------------------------------------------------------------


@pytest.fixture
def in_memory() -> MemoryArtifacts:
    """Artifacts in memory."""
    return MemoryArtifacts()


@pytest.fixture
async def in_table(database: Database) -> AsyncIterator[TableArtifacts]:
    """Artifacts in the log's database."""
    terms = PoolTerms()
    async with open_pool(database.url, terms) as pool, Statements.on(pool, terms.pauses) as statements:
        yield TableArtifacts(statements)


@pytest.fixture
def in_bucket(bucket: Bucket) -> BucketArtifacts:
    """Artifacts in a bucket."""
    return BucketArtifacts(bucket.url)


@pytest.fixture(params=["in_memory", "in_table", "in_bucket"])
def store(request: pytest.FixtureRequest) -> ArtifactStore:
    """Each adapter in turn."""
    chosen: ArtifactStore = request.getfixturevalue(request.param)
    return chosen


async def test_what_is_kept_is_found(store: ArtifactStore) -> None:
    """Any bytes, none and five million, come back as they were, and what was never kept is left out."""
    contents = [b"", b"\0\xff", b"x" * 5_000_000]
    kept = {digest_of(content): content for content in contents}
    assert await store.is_open()
    await store.keep(kept)
    assert await store.fetch([*kept, digest_of(b"another")]) == kept


async def test_keeping_twice_is_keeping_once(store: ArtifactStore) -> None:
    """The same content again, alone or with others, changes nothing."""
    one, other = {digest_of(b"one"): b"one"}, {digest_of(b"other"): b"other"}
    for artifacts in (one, one, one | other):
        await store.keep(artifacts)
    assert await store.fetch([*one, *other]) == one | other


async def test_many_are_kept_and_found(store: ArtifactStore) -> None:
    """As many as a page of events may refer to."""
    kept = {digest_of(content): content for content in (f"number {number}".encode() for number in range(300))}
    await store.keep(kept)
    assert await store.fetch(list(kept)) == kept


async def test_the_database_holds_contents_to_their_names(database: Database) -> None:
    """Under another hash nothing is kept, and the log's role can neither change nor remove what is."""
    insert = "INSERT INTO perdure.artifacts (sha256, content) VALUES (%s, %s)"
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection:
        await connection.execute(insert, (hashlib.sha256(b"one").digest(), b"one"))
        with pytest.raises(psycopg.errors.CheckViolation):
            await connection.execute(insert, (hashlib.sha256(b"one else").digest(), b"other"))
        for statement in ("UPDATE perdure.artifacts SET content = ''", "DELETE FROM perdure.artifacts"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement.encode())


async def test_a_bucket_that_is_away_is_unavailable(bucket: Bucket) -> None:
    """Both ways, as a log that is away: the same call may succeed later."""
    store = BucketArtifacts(bucket.url)
    await bucket.stop()
    with pytest.raises(LogUnavailable, match=r"s3://artifacts/kept cannot be reached.*AWS_ENDPOINT_URL") as raised:
        await store.keep({digest_of(b"x"): b"x"})
    assert not isinstance(raised.value, LogMisconfigured)
    assert "retries" not in str(raised.value), "of interest to nobody but the library"
    told = translated(raised.value)
    assert isinstance(told, Unreachable)
    assert (told.kind, "DATABASE_URL" in (told.remedy or "")) == ("unreachable", False)
    with pytest.raises(LogUnavailable, match="cannot be reached"):
        await store.fetch([digest_of(b"x")])


async def test_a_bucket_that_does_not_let_us_in_says_so(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret and a bucket that does not exist are named with what to check."""
    with pytest.raises(LogMisconfigured, match="no such bucket"):
        await BucketArtifacts("s3://nowhere").keep({digest_of(b"x"): b"x"})
    with pytest.raises(LogMisconfigured, match="no such bucket"):
        await BucketArtifacts("s3://nowhere").fetch([digest_of(b"x")])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(LogMisconfigured, match=r"does not let us in.*AWS_SECRET_ACCESS_KEY"):
        await BucketArtifacts(bucket.url).keep({digest_of(b"x"): b"x"})


# -- the log --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """A log, and what stands in its rows and its store."""

    log: EventLog
    database: Database | None = None
    store: ArtifactStore | None = None

    async def rows(self) -> list[str]:
        """The data of every row as it stands there."""
        if isinstance(self.log, MemoryEventLog):
            return [row.data or "" for row in self.log._rows]
        return [data for (data,) in await self.select("SELECT data::text FROM message_store.messages ORDER BY 1")]

    async def artifacts(self) -> int:
        """How many artifacts there are."""
        if isinstance(self.log, MemoryEventLog) and isinstance(self.log.artifacts, MemoryArtifacts):
            return len(self.log.artifacts._kept)
        [(count,)] = await self.select("SELECT count(*) FROM perdure.artifacts")
        return int(count)

    async def select(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        assert self.database is not None
        async with await psycopg.AsyncConnection.connect(self.database.admin_url, autocommit=True) as connection:
            cursor = await connection.execute(query.encode())
            return await cursor.fetchall() if cursor.description else []


@pytest.fixture(params=["memory_log", "postgres_log"])
def kept(request: pytest.FixtureRequest) -> Kept:
    """Each log that keeps artifacts, in turn."""
    log = request.getfixturevalue(request.param)
    return Kept(log, request.getfixturevalue("database") if request.param == "postgres_log" else None)


async def events(log: EventLog, stream: StreamName) -> list[Any]:
    """What is read."""
    read: list[Any] = []
    await read_into(read, log, stream)
    return read


async def read_into(read: list[Any], log: EventLog, stream: StreamName) -> None:
    """The same, also of a stream that cannot be read to its end."""
    async for recorded in log.read(stream):
        read.append(recorded.event)  # noqa: PERF401 - a comprehension would lose them


async def test_large_content_leaves_a_reference(kept: Kept, stream: StreamName, entry: MakeEntry) -> None:
    """The row is small, the event is whole: by stream, category and id, whatever characters it is of."""
    written = entry(UnknownEvent(type_name="Seen", data={"what": [LARGE, {LARGE: 1.0}, 2**70, "small"]}))
    assert await kept.log.append(stream, written) == Appended(0)
    [row] = await kept.rows()
    assert f"␛@sha256:{digest_of(_escaped(LARGE))}:{len(_escaped(LARGE))}" in row
    assert await events(kept.log, stream) == [written.event]
    assert [each.event async for each in kept.log.read_category(Category("agent:v1"))] == [written.event]
    found = await kept.log.find(written.id)
    assert found is not None
    assert found.event == written.event


def _escaped(text: str) -> bytes:
    replaced = text.replace("␛", "␛241b").replace("\0", "␛0000").replace("\ud800", "␛d800")
    return replaced.encode()


async def test_content_is_kept_once(kept: Kept, stream: StreamName, entry: MakeEntry) -> None:
    """Twice in one event and again in another, the same content is one artifact."""
    for position in range(2):
        event = UnknownEvent(type_name="Seen", data={"number": position, "one": LARGE, "other": LARGE})
        assert await kept.log.append(stream, entry(event)) == Appended(position)
    assert await kept.artifacts() == 1
    assert [event.data["other"] for event in await events(kept.log, stream)] == [LARGE, LARGE]


async def test_only_what_is_too_large_is_taken_out(kept: Kept, stream: StreamName, entry: MakeEntry) -> None:
    """The largest strings go first, and no more of them than it takes; small events stay as they are."""
    small = entry(SessionPaused(by="x" * (LIMIT - 100)))
    large = entry(UnknownEvent(type_name="Seen", data={"a": "a" * 110_000, "b": "b" * 150_000, "c": "c" * 60_000}))
    many = entry(UnknownEvent(type_name="Seen", data={"all": ["d" * 1_000] * 300}))
    for each in (small, large, many):
        await kept.log.append(stream, each)
    assert await kept.artifacts() == 1
    assert sorted(len(row) > LIMIT for row in await kept.rows()) == [False, False, True]
    assert await events(kept.log, stream) == [small.event, large.event, many.event]


async def test_a_retry_is_told_by_the_whole_content(kept: Kept, stream: StreamName, entry: MakeEntry) -> None:
    """The same large event under its id is a success, and one that differs in a single letter a conflict."""
    written = entry(SessionPaused(by=LARGE))
    await kept.log.append(stream, written)
    again = await kept.log.append(stream, written)
    assert isinstance(again, AlreadyAppended)
    assert again.recorded.event == written.event
    other = await kept.log.append(stream, entry(SessionPaused(by=f"{LARGE}."), id_=written.id))
    assert isinstance(other, IdConflict)
    assert other.recorded.event == written.event


async def test_twenty_megabytes_pass(kept: Kept, stream: StreamName, entry: MakeEntry) -> None:
    """An event of twenty megabytes goes in and comes out."""
    written = entry(SessionPaused(by="0123456789" * 2_000_000))
    assert await kept.log.append(stream, written) == Appended(0)
    assert await events(kept.log, stream) == [written.event]


async def test_a_missing_artifact_is_named(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """What stands before it is read; then stream, position and hash are told. So it is where it is damaged."""
    kept = Kept(postgres_log, database)
    for event in (SessionPaused(by="ana"), SessionPaused(by="y" * 300_000), SessionPaused(by="bob")):
        await postgres_log.append(stream, entry(event))
    damage = "ALTER TABLE perdure.artifacts DROP CONSTRAINT artifacts_content_addressed; UPDATE perdure.artifacts"
    for statement in (f"{damage} SET content = 'z'", "DELETE FROM perdure.artifacts"):
        await kept.select(statement)
        read: list[Any] = []
        with pytest.raises(LogCorrupted) as raised:
            await read_into(read, postgres_log, stream)
        assert read == [SessionPaused(by="ana")]
        assert f"SessionPaused at position 1 of {stream}" in str(raised.value)
        assert f"sha256:{digest_of(b'y' * 300_000)} of 300,000 bytes" in str(raised.value)


async def test_many_at_once_are_answered_whole(
    postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """Group commit compares large events as it does small ones, also those that stand there already."""
    entries = [entry(SessionPaused(by=f"{number}" * 270_000)) for number in range(10)]
    await postgres_log.append(stream, entries[3])
    outcomes = await asyncio.gather(*(postgres_log.append(stream, each) for each in entries))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyAppended"] + ["Appended"] * 9
    assert len(await events(postgres_log, stream)) == 10


async def test_without_a_place_events_are_written_whole(
    plain_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """A database in which nothing of ours is installed takes large events as it always did; that is noted once."""
    written = [entry(SessionPaused(by=LARGE)), entry(SessionPaused(by=LARGE))]
    with capture_logs() as logs:
        for each in written:
            await plain_log.append(stream, each)
    assert await events(plain_log, stream) == [each.event for each in written]
    assert [line["event"] for line in logs].count("log_has_no_artifacts") == 1


async def test_a_bucket_keeps_what_is_large(
    database: Database, bucket: Bucket, stream: StreamName, entry: MakeEntry
) -> None:
    """The object's name is the hash of its bytes; what was in the table before the bucket was set is still found."""
    before, after = entry(SessionPaused(by="before" * 60_000)), entry(SessionPaused(by="after" * 60_000))
    async with PostgresEventLog.connect(database.url) as log:
        await log.append(stream, before)
    async with PostgresEventLog.connect(database.url, bucket=BucketArtifacts(bucket.url)) as log:
        await log.append(stream, after)
        assert await events(log, stream) == [before.event, after.event]
    content = b"after" * 60_000
    assert bucket.object(digest_of(content)).read_bytes() == content
    assert await Kept(log, database).artifacts() == 1


async def test_a_damaged_object_is_told_and_mended(
    database: Database, bucket: Bucket, stream: StreamName, entry: MakeEntry
) -> None:
    """What does not have its hash is no artifact; the same content, written again, mends it."""
    written = entry(SessionPaused(by="x" * 300_000))
    async with PostgresEventLog.connect(database.url, bucket=BucketArtifacts(bucket.url)) as log:
        await log.append(stream, written)
        bucket.object(digest_of(b"x" * 300_000)).write_bytes(b"y" * 300_000)
        with pytest.raises(LogCorrupted, match="or is damaged there"):
            await events(log, stream)
        await log.append(stream, entry(written.event))
        assert await events(log, stream) == [written.event] * 2


async def test_while_the_bucket_is_away_nothing_large_is_written(
    database: Database, bucket: Bucket, stream: StreamName, entry: MakeEntry
) -> None:
    """Large events are refused for now, and leave nothing behind; small ones are written and read."""
    async with PostgresEventLog.connect(database.url, bucket=BucketArtifacts(bucket.url)) as log:
        await bucket.stop()
        with pytest.raises(LogUnavailable, match="cannot be reached"):
            await log.append(stream, entry(SessionPaused(by=LARGE)))
        assert await log.append(stream, entry()) == Appended(0)
        assert len(await events(log, stream)) == 1


async def test_others_may_write_what_looks_like_a_reference(
    database: Database, postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """As a key, within a text or not quite one, it is text; so it is when one of our own events says it."""
    looks = f"␛@sha256:{'0' * 64}:1"
    said = entry(SessionPaused(by=looks))
    await postgres_log.append(stream, said)
    data = {looks: f'"{looks}"', "near": f"{looks}x"}
    query = "SELECT message_store.write_message(%s::varchar, %s::varchar, 'Noted'::varchar, %s)"
    options = "-c search_path=message_store"
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True, options=options) as connection:
        await connection.execute(query, (str(uuid4()), stream, Jsonb(data)))
    first, second = await events(postgres_log, stream)
    assert first == said.event
    assert second.data == data


def test_the_limit_is_in_bytes() -> None:
    """A text of two-byte letters is as large as it is in UTF-8."""
    overflow = Overflow([MemoryArtifacts()])
    sizes: Collection[tuple[str, bool]] = [
        ("x" * LIMIT, False),
        ("x" * (LIMIT + 1), True),
        ("é" * (LIMIT // 2), False),
        ("é" * (LIMIT // 2 + 1), True),
    ]
    assert [overflow.overflows(data) for data, _ in sizes] == [expected for _, expected in sizes]


def test_numbers_around_large_content_stay_as_they_are() -> None:
    """Only the strings are touched: long integers, floats and keys are the same letters afterwards."""
    texts = itertools.product(["1180591620717411303424", "1.10", "-0.0"], ["a", '\\"', "\\u0007", "☃"])
    for number, letter in texts:
        data = f'{{"{letter * 9_000}":{number},"b":["{letter * 300_000}",{number}]}}'
        thinned = thin(data, LIMIT)
        assert len(thinned.data) < LIMIT
        assert referred(thinned.data) == set(thinned.artifacts)
        assert fill(thinned.data, thinned.artifacts) == data
