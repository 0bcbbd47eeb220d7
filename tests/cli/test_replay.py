"""Playing a thread again: what was recorded, at a pace of one's own, from the log or from a file alone."""

import asyncio
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

import client
from cli.exits import ExitCode
from cli.player import Tempo, timed
from cli.upcoming import upcoming
from eventlog.archive import Archive, write
from eventlog.events import AnyEvent, SessionPaused, SessionResumed
from eventlog.log import Entry, Recorded
from eventlog.memory import MemoryEventLog
from eventlog.metadata import Metadata
from eventlog.postgres import PostgresEventLog
from eventlog.rows import StreamRows
from eventlog.streams import ThreadId, stream_of
from projections.evolution import SESSION
from tests.cli.conftest import Ended, Perdure, ended
from tests.cli.happenings import NOON, began, heard, over, replied, told
from tests.conftest import Database

WHOLE: Sequence[AnyEvent] = (
    began(),
    heard("hello"),
    replied("Good day."),
    SessionPaused(by="bo"),
    SessionResumed(by="bo"),
    over("Good day."),
)


@pytest.fixture
async def file(database: Database, tmp_path: Path) -> Path:
    """A whole thread, exported."""
    async with PostgresEventLog.connect(database.url) as log:
        thread = await told(log, *WHOLE)
    async with StreamRows.connect(database.url) as rows:
        archive: Archive = await rows.archive(thread)
    file = tmp_path / "thread.jsonl"
    file.write_bytes(write(archive))
    return file


async def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ended:
    """The command, in this process."""
    code = await asyncio.to_thread(client.run, arguments)
    out, err = capsys.readouterr()
    return Ended(code, out, err)


async def recorded(*events: AnyEvent) -> list[Recorded]:
    """The events as a log gives them, three seconds after each other."""
    log, stream = MemoryEventLog(), stream_of(ThreadId("t"))
    for number, event in enumerate(events):
        await log.append(stream, Entry(uuid4(), event, Metadata(at=NOON + timedelta(seconds=3 * number))))
    return [each async for each in log.read(stream)]


@pytest.mark.parametrize(
    ("speed", "longest", "gap", "pause"),
    [(1, 2, 0.5, 0.5), (10, 2, 5, 0.5), (0.5, 9, 1, 2), (1, 2, 3600, 2), (math.inf, 2, 3600, 0), (1, 2, -1, 0)],
)
def test_pauses_are_those_that_were(speed: float, longest: float, gap: float, pause: float) -> None:
    """So many times as fast, never longer than wanted, and never below nothing where clocks disagreed."""
    assert Tempo(speed, longest).pause(NOON, NOON + timedelta(seconds=gap)) == pytest.approx(pause)


async def test_events_come_in_order_and_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for its time, by what its writer said of it."""
    events, waited = await recorded(*WHOLE), []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    assert [each async for each in timed(events, Tempo(2, 60))] == events
    assert waited == [1.5] * (len(WHOLE) - 1)


async def test_a_file_needs_nothing_that_runs(alone: Perdure, file: Path) -> None:
    """The events of an exported thread, and where it stood, on a machine where nothing runs."""
    played = await alone("replay", str(file), "--fast", "--json")
    *events, report = map(json.loads, played.out.splitlines())
    assert [each["type"] for each in events] == [each.type for each in WHOLE]
    assert (report["status"], report["answer"]) == ("completed", "Good day.")
    assert played.code == ExitCode.OK


async def test_it_begins_and_ends_where_one_likes(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    """What was before is known already: the report is that of the last position."""
    played = await run(capsys, "replay", str(file), "--fast", "--json", "--from", "2", "--to", "3")
    *events, report = map(json.loads, played.out.splitlines())
    assert [each["position"] for each in events] == [2, 3]
    assert (report["status"], report["turns"]) == ("paused", 1)


async def test_event_by_event_forward_and_back(alone: Perdure, file: Path) -> None:
    """Enter shows the next event and what comes after it; a number or b jumps, s shows the state."""
    process = await alone.spawn_for_typing("replay", str(file), "--step", "--from", "1")
    assert process.stdin is not None
    process.stdin.write(b"\n3\nb\ns\n5\n\n")
    process.stdin.close()
    walked = await ended(process)
    lines = [line.split() for line in walked.out.splitlines()]
    assert [line[0] for line in lines if line and line[0].isdecimal()] == ["1", "2", "3", "2", "5"]
    assert [" ".join(line[1:]) for line in lines if line and line[0] == "next:"] == [
        "the model is asked, turn 1",
        "it ends: success",
        "it waits to be resumed",
        "it ends: success",
        "it has ended: success",
    ]
    assert '"paused": false,' in walked.out
    assert walked.code == ExitCode.OK


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--speed", "0"], "is no speed"),
        (["--longest", "soon"], "is no duration"),
        (["--from", "6"], "has no position 6"),
        (["--to", "6"], "has no position 6"),
        (["--from", "3", "--to", "2"], "lies before"),
        (["--step", "--json"], "--step is for people"),
    ],
)
async def test_what_cannot_be_played_is_said(
    capsys: pytest.CaptureFixture[str], file: Path, arguments: list[str], words: str
) -> None:
    """A pace, a place or a way that makes no sense is refused before anything is shown."""
    refused = await run(capsys, "replay", str(file), *arguments)
    assert words in refused.err + refused.out
    assert refused.code in {ExitCode.USAGE, ExitCode.NOT_FOUND}


async def test_a_damaged_file_is_not_played(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    """One letter of it changed, and nothing of it is believed."""
    damaged = file.read_bytes().replace(b"Good day.", b"Good night.")  # noqa: ASYNC240 - a test waits for nobody
    file.write_bytes(damaged)  # noqa: ASYNC240
    refused = await run(capsys, "replay", str(file), "--fast")
    assert (refused.code, refused.out) == (ExitCode.USAGE, "")
    assert "cannot be replayed" in refused.err


async def test_what_comes_next_is_what_the_process_would_do() -> None:
    """In words, at every position of a thread."""
    session, said = SESSION.initial(), []
    for each in await recorded(*WHOLE):
        session = SESSION.evolve(session, each)
        said.append(upcoming(session, datetime.now(UTC)))
    assert said[1:] == [
        "the model is asked, turn 1",
        "it ends: success",
        "it waits to be resumed",
        "it ends: success",
        "it has ended: success",
    ]
