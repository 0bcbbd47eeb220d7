"""A thread moves to another machine in one file, letter for letter, or not at all."""

import hashlib
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from cli.exits import ExitCode
from eventlog.archive import Archive, Damaged, read, write
from eventlog.events import AnyEvent, SessionPaused, UnknownEvent, UserMessageAdded
from eventlog.log import Entry, EventLog, LogCorrupted
from eventlog.metadata import Metadata
from eventlog.postgres import PostgresEventLog
from eventlog.rows import StreamDiffers, StreamRows
from eventlog.streams import ThreadId, stream_of
from stack.messagedb import create_database
from stack.postgres import ADMIN, WRITER, EmbeddedPostgres
from tests.cli.conftest import Perdure
from tests.cli.happenings import NOON, began, heard, told
from tests.conftest import TEMPLATE, Database
from tests.workflow.world import World

ODD = '\0 \ud800 \u2028 \x85 \u241b ,"data": 你好 \\ \n'
"""What JSON Lines, JSON and jsonb each have their difficulties with."""


@pytest.fixture
async def elsewhere(
    postgres_server: EmbeddedPostgres, database_names: "itertools.count[int]"
) -> AsyncIterator[Database]:
    """The log of another machine."""
    name = f"test_{next(database_names)}"
    await create_database(postgres_server.admin_url, name, TEMPLATE)
    yield Database(postgres_server.url(WRITER, name), postgres_server.url(ADMIN, name))
    async with await psycopg.AsyncConnection.connect(postgres_server.admin_url, autocommit=True) as connection:
        await connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


async def raw(database: Database, thread: str) -> list[tuple[Any, ...]]:
    """The rows as the database has them, but for what each database says for itself."""
    columns = "id::text, stream_name, type, position, data::text, metadata::text"
    query = f"select {columns} from message_store.messages where stream_name = %s order by position"
    async with await psycopg.AsyncConnection.connect(database.admin_url) as connection:
        cursor = await connection.execute(query, (stream_of(ThreadId(thread)),))
        return await cursor.fetchall()


async def exported(database: Database, thread: ThreadId) -> bytes:
    """The thread's file."""
    async with StreamRows.connect(database.url) as rows:
        return write(await rows.archive(thread))


async def strange(log: EventLog, database: Database) -> ThreadId:
    """A thread in whose stream is everything that others may write there."""
    thread = await told(
        log, began(), heard(ODD), UnknownEvent(type_name='Odd ,"data": 你好', data={ODD: [1e22, -0.0, 2**70]})
    )
    rows = [
        ("SessionPaused", '{"by": "ana", "a_newer_field": 1.10}', '{"at": "2026-01-01T12:00:00Z", "newer": [true]}'),
        ("Noted", "[1, null, 0.12345678901234567890]", '"no object"'),
        ("Noted", None, None),
        ("Noted", '"text"', '{"at": "yesterday"}'),
    ]
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        await connection.execute("set search_path = message_store")
        for type_, data, metadata in rows:
            await connection.execute(
                "select write_message(%s::varchar, %s::varchar, %s::varchar, %s::jsonb, %s::jsonb)",
                (str(uuid4()), stream_of(thread), type_, data, metadata),
            )
    return thread


async def test_a_stream_arrives_letter_for_letter(database: Database, elsewhere: Database) -> None:
    """Ids, positions, types, data and metadata are the same rows on the other side, also what we know nothing of."""
    async with PostgresEventLog.connect(database.url) as log:
        thread = await strange(log, database)
    content = await exported(database, thread)
    async with StreamRows.connect(elsewhere.url) as rows:
        assert await rows.restore(read(content)) == 7
        assert await rows.restore(read(content)) == 0
    assert await raw(elsewhere, thread) == await raw(database, thread)
    async with PostgresEventLog.connect(elsewhere.url) as log:
        events: list[AnyEvent] = [each.event async for each in log.read(stream_of(thread))]
    assert isinstance(events[1], UserMessageAdded)
    assert events[1].message == ODD


async def test_a_long_stream_arrives_whole(database: Database, elsewhere: Database) -> None:
    """More events than a page or a batch holds arrive, and what was written since is added by the next import."""
    async with PostgresEventLog.connect(database.url) as log:
        thread = await told(log, began(), *(heard(f"number {number}") for number in range(1203)))
        before = await exported(database, thread)
        await log.append(stream_of(thread), Entry(uuid4(), heard("more"), Metadata(at=NOON)))
    after = await exported(database, thread)
    async with StreamRows.connect(elsewhere.url) as rows:
        assert await rows.restore(read(before)) == 1204
        assert await rows.restore(read(after)) == 1
        assert await rows.restore(read(before)) == 0
    assert await raw(elsewhere, thread) == await raw(database, thread)


async def test_a_thread_brings_its_artifacts(database: Database, elsewhere: Database) -> None:
    """Large content is in the file, once, and arrives beside the events that refer to it."""
    large = ODD * 20_000
    async with PostgresEventLog.connect(database.url) as log:
        thread = await told(log, began(), heard(large), heard(large))
    content = await exported(database, thread)
    assert content.count(b"sha256:") == 2
    assert content.count(b'"content":') == 1
    async with StreamRows.connect(elsewhere.url) as rows:
        assert await rows.restore(read(content)) == 3
        assert await rows.restore(read(content)) == 0
    assert await raw(elsewhere, thread) == await raw(database, thread)
    async with PostgresEventLog.connect(elsewhere.url) as log:
        assert [event.message for event in await messages(log, thread)] == [large, large]
    assert read(await exported(elsewhere, thread)).artifacts == read(content).artifacts


async def test_a_thread_arrives_whole_where_no_artifacts_are_kept(database: Database, elsewhere: Database) -> None:
    """Also when it is imported again: what stands there whole says the same as what is referred to."""
    async with PostgresEventLog.connect(database.url) as log:
        thread = await told(log, began(), heard(ODD * 20_000))
    content = await exported(database, thread)
    async with await psycopg.AsyncConnection.connect(elsewhere.admin_url, autocommit=True) as connection:
        await connection.execute("drop schema perdure cascade")
    async with StreamRows.connect(elsewhere.url) as rows:
        assert await rows.restore(read(content)) == 2
        assert await rows.restore(read(content)) == 0
    async with PostgresEventLog.connect(elsewhere.url) as log:
        assert [event.message for event in await messages(log, thread)] == [ODD * 20_000]
    assert b'"version": 1' in (await exported(elsewhere, thread)).partition(b"\n")[0]


async def messages(log: EventLog, thread: ThreadId) -> list[UserMessageAdded]:
    """What the user said."""
    return [each.event async for each in log.read(stream_of(thread)) if isinstance(each.event, UserMessageAdded)]


async def test_a_missing_artifact_is_not_exported_over(database: Database) -> None:
    """A thread that is not whole here gives no file, and what is missing is named."""
    async with PostgresEventLog.connect(database.url) as log:
        thread = await told(log, began(), heard("x" * 300_000))
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        await connection.execute("delete from perdure.artifacts")
    with pytest.raises(LogCorrupted, match=r"at position 1 of .* sha256:[0-9a-f]{64} of 300,000 bytes"):
        await exported(database, thread)


async def test_artifacts_in_a_file_are_checked(database: Database) -> None:
    """One that was changed, one that is no artifact and one that is missing are each told, though the file adds up."""
    async with PostgresEventLog.connect(database.url) as log:
        thread = await told(log, began(), heard("x" * 300_000))
    header, artifact, *events = (await exported(database, thread)).splitlines()
    for lines, count, problem in [
        ([artifact.replace(b"xx", b"yy")], 1, "its artifact 1 is not that of which it has the SHA-256"),
        ([b'{"content": "x"}'], 1, "its artifact 1 is no line of an export: sha256: Field required"),
        ([], 0, "UserMessageAdded at position 1 of .* cannot be read: its artifact sha256:"),
    ]:
        body = b"".join(line + b"\n" for line in (*lines, *events))
        changed = {**json.loads(header), "artifacts": count, "sha256": hashlib.sha256(body).hexdigest()}
        with pytest.raises(Damaged, match=problem):
            read(json.dumps(changed).encode() + b"\n" + body)


async def test_another_stream_of_that_name_is_left_alone(database: Database, elsewhere: Database) -> None:
    """A thread that is there with other content, and ids that others have, are refused before anything is written."""
    async with PostgresEventLog.connect(database.url) as log:
        thread = await told(log, began(), heard("here"))
    archive = read(await exported(database, thread))
    async with PostgresEventLog.connect(elsewhere.url) as log:
        await log.append(stream_of(thread), Entry(UUID(archive.rows[0].id), heard("other"), Metadata(at=NOON)))
        taken = await told(log, began())
        await log.append(stream_of(taken), Entry(UUID(archive.rows[1].id), heard("mine"), Metadata(at=NOON)))
    async with StreamRows.connect(elsewhere.url) as rows:
        with pytest.raises(StreamDiffers, match="differs at position 0"):
            await rows.restore(archive)
        other = Archive(
            ThreadId("fresh"), [row._replace(id=str(uuid4())) for row in archive.rows[:1]] + [archive.rows[1]]
        )
        with pytest.raises(StreamDiffers, match=f"another stream already: {stream_of(taken)}") as raised:
            await rows.restore(other)
        assert raised.value.found == taken
        assert await rows.read(stream_of(ThreadId("fresh"))) == []


HEADER = {"format": "perdure-thread", "version": 1, "thread_id": "t", "events": 1}
TIME = "2026-01-01T12:00:00Z"
ID = "0193f1a2-7c00-8abc-8def-0123456789ab"


def line(position: int = 0, data: str = '{"by":"ana"}', **head: Any) -> str:
    """One event of a file."""
    fields = {"position": position, "id": ID, "type": "SessionPaused", "time": TIME, **head}
    return f'{json.dumps(fields)[:-1]},"data":{data},"metadata":{{"at":"{TIME}"}}}}\n'


def file_of(*lines: str, **header: Any) -> bytes:
    """A file of these lines, with a first line that fits."""
    body = "".join(lines).encode()
    fits = {**HEADER, "events": len(lines), "sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps({**fits, **header}).encode() + b"\n" + body


def test_a_file_made_by_hand_is_read() -> None:
    """The format is what its description says."""
    [row] = read(file_of(line())).rows
    assert (row.id, row.type, row.data) == (ID, "SessionPaused", '{"by":"ana"}')
    assert read(file_of(line(data=r'{"by":"\\u0000"}'))).rows  # a backslash, and then only letters
    assert SessionPaused(by="ana").type == row.type


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "first line"),
        (b"\xff\xfe", "first line"),
        (file_of(line(), version=3), "version"),
        (file_of(line(), format="other"), "format"),
        (file_of(line(), thread_id="a b"), "cannot be a thread id"),
        (file_of(line(), thread_id="../x"), "cannot be a thread id"),
        (file_of(line(), sha256="0" * 64), "cut short or was changed"),
        (file_of(line())[:-9], "cut short or was changed"),
        (file_of(line(), events=2), "announces 2 events and holds 1"),
        (file_of(events=0), "first line"),
        (file_of(line(position=1)), "position 1 stands where 0"),
        (file_of(line(), line(position=1)), "same id"),
        (file_of(line(id="x")), "id"),
        (file_of(line(type="")), "type"),
        (file_of(line(type="a\0")), "type"),
        (file_of(line(data='{"by":"\\u0000"}')), "does not take"),
        (file_of(line(data='{"by":"\\\\\\ud800"}')), "does not take"),
        (file_of(line(data='{"by":NaN}')), "NaN is no JSON"),
        (file_of(line(data="{")), "no line of an export"),
        (file_of(line(data="{}")), "does not validate: by"),
        (file_of(line(data='{"by":1}')), "does not validate: by"),
        (file_of(line(data="[" * 100_000)), "no line of an export"),
        (file_of("{}\n"), "no line of an export"),
        (file_of(line()[:-2] + ',"more":1}\n'), "something follows"),
        (file_of(line(data=json.dumps({"by": "x" * (64 * 1024 * 1024)}))), "more than 67,108,864 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_damaged_is_refused(content: bytes, words: str) -> None:
    """Whatever is wrong with a file is found before anything is written, and told."""
    with pytest.raises(Damaged, match=words):
        read(content)


async def test_the_commands_move_a_thread(perdure: Perdure, world: World, elsewhere: Database, tmp_path: Path) -> None:
    """Exported here and imported there, a thread can be shown, its prompt rendered and all of it verified."""
    handle = await world.start("hello")
    await world.done(handle)
    file = tmp_path / "thread.jsonl"
    done = await perdure("export", handle.id, str(file), "--json")
    assert (done.code, done.json["events"]) == (ExitCode.OK, 5)
    piped = await perdure("export", handle.id)
    assert piped.out.encode() == file.read_bytes()
    there = {"DATABASE_URL": elsewhere.url}
    first, second = await perdure("import", str(file), "--json", **there), await perdure("import", str(file), **there)
    assert (first.json["added"], second.code) == (5, ExitCode.OK)
    assert "0 of its 5 events" in second.out
    shown = await perdure("show", handle.id, "--json", **there)
    assert (shown.json["status"], shown.json["answer"]) == ("completed", "Good day.")
    assert (await perdure("prompt", handle.id, **there)).code == ExitCode.OK
    checked = await perdure("verify", handle.id, "--log-only", **there)
    assert (checked.code, checked.out) == (ExitCode.OK, "")


async def test_an_imported_thread_goes_on(perdure: Perdure, world: World, tmp_path: Path) -> None:
    """With --run it does, from where its stream ends, where nothing runs it; one that has ended is told of as such."""
    chat, over = await world.start("talk", mode="chat"), await world.start("hello")
    await world.done(over)
    await world.until(chat.id, lambda session: session.turns == 1)
    await chat.terminate(reason="it moves")
    files = {each.id: str(tmp_path / each.id) for each in (chat, over)}
    for thread, file in files.items():
        await perdure("export", thread, file)
    refused = await perdure("continue", chat.id, "more")
    assert (refused.code, "--run" in refused.err) == (ExitCode.FAILED, True)
    first, second = [await perdure("import", files[chat.id], "--run", "--json") for _ in range(2)]
    assert (first.json["added"], first.json["running"], second.json["running"]) == (0, True, True)
    answer = await perdure("continue", chat.id, "more", "--wait", "--json")
    assert (answer.code, answer.json["answer"]) == (ExitCode.OK, "I see.")
    checked = await perdure("verify", chat.id, "--json")
    assert (checked.json["findings"], len(checked.json["unchecked"])) == ([], 1)
    ended = await perdure("import", files[over.id], "--run", "--json")
    assert (ended.code, ended.json["running"]) == (ExitCode.OK, False)


async def test_the_commands_say_what_is_wrong(perdure: Perdure, world: World, tmp_path: Path) -> None:
    """No such thread, no such file, a damaged one and one that differs each end with their code and words."""
    assert (await perdure("export", "nobody", "--json")).code == ExitCode.NOT_FOUND
    assert (await perdure("import", "no-such-file", "--json")).code == ExitCode.USAGE
    damaged = tmp_path / "damaged"
    damaged.write_bytes(file_of(line(), events=2))
    done = await perdure("import", str(damaged), "--json")
    assert (done.code, done.json["error"]["kind"]) == (ExitCode.USAGE, "damaged")
    handle = await world.start("hello")
    await world.done(handle)
    other = tmp_path / "other"
    other.write_bytes(file_of(line(), thread_id=handle.id))
    done = await perdure("import", str(other), "--json")
    assert (done.code, done.json["error"]["kind"]) == (ExitCode.FAILED, "exists")
