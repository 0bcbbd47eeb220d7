"""The table of snapshots: the newest one that is true of its stream, and never a change to the log."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from eventlog.log import Appended, LogMisconfigured
from eventlog.postgres import PostgresEventLog
from eventlog.snapshots import Snapshot
from eventlog.streams import StreamName
from tests.conftest import Database
from tests.contract.administrator import execute
from tests.contract.conftest import MakeEntry

Take = Callable[..., Awaitable[Snapshot]]


@pytest.fixture
def take(postgres_log: PostgresEventLog, stream: StreamName, entry: MakeEntry) -> Take:
    """Appends an event and makes the snapshot after it."""

    async def make(state: bytes = b"state", version: str = "1") -> Snapshot:
        given = entry()
        appended = await postgres_log.append(stream, given)
        assert isinstance(appended, Appended)
        return Snapshot(stream, "count", version, appended.position, given.id, state)

    return make


async def test_the_newest_is_found(postgres_log: PostgresEventLog, stream: StreamName, take: Take) -> None:
    """Byte for byte, for its stream, view and version; an older one that comes late changes nothing."""
    older, newer = await take(b"\0\xff older"), await take(b"newer")
    assert await postgres_log.snapshots.find(stream, "count", "1") is None
    await postgres_log.snapshots.keep(older)
    assert await postgres_log.snapshots.find(stream, "count", "1") == older
    await postgres_log.snapshots.keep(newer)
    await postgres_log.snapshots.keep(older)
    assert await postgres_log.snapshots.find(stream, "count", "1") == newer
    for name, version in (("other", "1"), ("count", "2")):
        assert await postgres_log.snapshots.find(stream, name, version) is None


async def test_a_snapshot_is_no_use_for_what_was_before_it(
    postgres_log: PostgresEventLog, stream: StreamName, take: Take
) -> None:
    """It is found for its own position and for later ones."""
    await take()
    snapshot = await take()
    await postgres_log.snapshots.keep(snapshot)
    for at, found in ((0, None), (1, snapshot), (2, snapshot)):
        assert await postgres_log.snapshots.find(stream, "count", "1", at) == found


async def test_one_of_another_version_is_replaced(
    postgres_log: PostgresEventLog, stream: StreamName, take: Take
) -> None:
    """Also by an older one: whoever made it could not read the newer."""
    older, newer = await take(version="2"), await take(version="1")
    await postgres_log.snapshots.keep(newer)
    await postgres_log.snapshots.keep(older)
    assert await postgres_log.snapshots.find(stream, "count", "2") == older


@pytest.mark.parametrize("wrong", [{"position": 7}, {"position": 1}, {"event_id": uuid4()}])
async def test_one_that_is_not_of_its_stream_is_none(
    postgres_log: PostgresEventLog, stream: StreamName, take: Take, wrong: dict[str, Any]
) -> None:
    """Where another event or none stands in its place, it is not found, and anything takes its place."""
    true = await take()
    await take()
    await postgres_log.snapshots.keep(replace(true, **wrong))
    assert await postgres_log.snapshots.find(stream, "count", "1") is None
    await postgres_log.snapshots.keep(true)
    assert await postgres_log.snapshots.find(stream, "count", "1") == true


async def test_where_there_is_no_table_it_is_said(
    plain_log: PostgresEventLog, stream: StreamName, entry: MakeEntry
) -> None:
    """To whoever asks for snapshots; the log itself does without."""
    given = entry()
    await plain_log.append(stream, given)
    with pytest.raises(LogMisconfigured, match="snapshots"):
        await plain_log.snapshots.find(stream, "count", "1")
    with pytest.raises(LogMisconfigured, match="snapshots"):
        await plain_log.snapshots.keep(Snapshot(stream, "count", "1", 0, given.id, b""))


async def test_the_rights_go_no_further_than_the_table(
    postgres_log: PostgresEventLog, database: Database, take: Take
) -> None:
    """The restricted role may throw snapshots away, and change nothing of what was written or how they are kept."""
    await postgres_log.snapshots.keep(await take())
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection:
        await connection.execute("delete from perdure.snapshots")
        for forbidden in (
            "delete from message_store.messages",
            "update message_store.messages set data = '{}'",
            "truncate perdure.snapshots",
            "alter table perdure.snapshots add column more int",
            "create table perdure.more ()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(forbidden.encode())


async def test_nobody_else_may_read_them(postgres_log: PostgresEventLog, database: Database, take: Take) -> None:
    """Snapshots hold what was said, as the log does: other roles see nothing."""
    await postgres_log.snapshots.keep(await take())
    await execute(database, "CREATE ROLE stranger_to_snapshots")
    try:
        async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
            await connection.execute("SET ROLE stranger_to_snapshots")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute("SELECT state FROM perdure.snapshots")
    finally:
        await execute(database, "DROP ROLE stranger_to_snapshots")
