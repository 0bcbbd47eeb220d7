"""Moving a thread between machines: its stream in one file, and the file in another log."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.archives import STDIO, read_archive
from cli.command import Invocation, command
from cli.errors import ClientError, NotFound, Refused
from cli.given import Thread

if TYPE_CHECKING:
    from eventlog.rows import StreamRows
    from eventlog.streams import ThreadId

PANEL = "System"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(
        app,
        panel=PANEL,
        examples=[
            "perdure export report-42 report-42.jsonl",
            "perdure export report-42 | ssh other perdure import -",
        ],
    )(export)
    command(
        app,
        panel=PANEL,
        name="import",
        examples=[
            "perdure import report-42.jsonl",
            "perdure import report-42.jsonl && perdure show report-42",
            "perdure import report-42.jsonl --run",
        ],
    )(import_)


async def export(
    run: Invocation,
    thread: Thread,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - is stdout.")] = STDIO,
) -> None:
    """Write a thread's whole stream into one file, to be imported elsewhere.

    JSON Lines: a line that says what follows, with its SHA-256, then every event with its id, position, data and
    metadata exactly as they stand in the log. Artifacts that events refer to stand before them, each once.
    """
    from cli.given import thread_id
    from eventlog.archive import write

    id_ = thread_id(thread)
    async with _rows(run) as rows:
        archive = await rows.archive(id_)
    count = len(archive.rows)
    if not count:
        raise NotFound(f"the log has no thread {id_}", remedy="`perdure list` shows the threads there are")
    content = write(archive)
    if file == STDIO:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    _keep(Path(file), content)
    answer = {"thread_id": id_, "events": count, "file": file, "bytes": len(content)}
    words = f"{count} events of thread {id_} are in {file}"
    run.output.answer(answer, lambda page: page.print(words, markup=False, soft_wrap=True))


async def import_(
    run: Invocation,
    file: Annotated[str, typer.Argument(metavar="FILE", help="What was exported; - is stdin.", show_default=False)],
    run_on: Annotated[bool, typer.Option("--run", help="Have it go on here, from where its stream ends.")] = False,
) -> None:
    """Put an exported thread into this log, every event under its own id. Doing it twice is doing it once.

    The whole file is checked before anything is written; a thread that is here with other content is left alone. The
    database writes the time of each event anew; when it first happened stands in its metadata, as `at`. What was
    imported can be shown and checked; no workflow runs it, unless --run begins one. Then nothing may run it any more
    where it came from: two that do know nothing of each other.
    """
    from eventlog.rows import StreamDiffers

    archive = read_archive(file, "imported")
    async with _rows(run) as rows:
        try:
            added = await rows.restore(archive)
        except StreamDiffers as error:
            here = error.found or archive.thread
            raise Refused(str(error), remedy=f"see what is here: perdure show {here}", kind="exists") from error
    running = await _run_on(run, archive.thread) if run_on else False
    count = len(archive.rows)
    answer = {"thread_id": archive.thread, "events": count, "added": added, "running": running}
    words = f"thread {archive.thread} is here: {added} of its {count} events were added"
    words += ("; it goes on" if running else "; it has ended") if run_on else ""
    run.output.answer(answer, lambda page: page.print(words, markup=False, soft_wrap=True))


async def _run_on(run: Invocation, thread: "ThreadId") -> bool:
    """Whether something runs the thread now: not where it has ended."""
    async with run.threads() as threads:
        return await threads.take_over(thread)


@asynccontextmanager
async def _rows(run: Invocation) -> "AsyncIterator[StreamRows]":
    """The rows of the log that the settings name."""
    from bootstrap import bucket_of
    from cli.connection import places, quiet_logs
    from eventlog.rows import StreamRows

    quiet_logs()
    async with StreamRows.connect((await places(run.settings)).database, bucket=bucket_of(run.settings)) as rows:
        yield rows


def _keep(file: Path, content: bytes) -> None:
    """Replace the file in one step, so that none is ever half a thread."""
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_bytes(content)
        part.replace(file)
    except OSError as error:
        raise ClientError(f"{file} cannot be written: {error}", kind="output") from error
    finally:
        part.unlink(missing_ok=True)
