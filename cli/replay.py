"""Playing a thread again, from the log or from a file: as it happened, faster, or event by event."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command
from cli.errors import BadUsage, NotFound

if TYPE_CHECKING:
    from cli.player import Tempo
    from cli.story import Story
    from eventlog.log import Recorded
    from eventlog.streams import ThreadId

PANEL = "Threads"
_POSITION = typer.Option("--from", min=0, metavar="N", help="Begin at position N; what was before is known already.")
_END = typer.Option("--to", min=0, metavar="N", help="End at position N.", show_default=False)


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(
        app,
        panel=PANEL,
        examples=[
            "perdure replay report-42",
            "perdure replay report-42 --speed 10 --longest 1s",
            "perdure replay report-42 --step --from 12",
            "perdure export report-42 bug.jsonl && perdure replay bug.jsonl --fast",
        ],
    )(replay)


async def replay(
    run: Invocation,
    source: Annotated[
        str,
        typer.Argument(
            metavar="THREAD|FILE", help="A thread's id, or a file as `perdure export` writes it.", show_default=False
        ),
    ],
    speed: Annotated[float, typer.Option("--speed", metavar="X", help="So many times as fast as it happened.")] = 1.0,
    longest: Annotated[str, typer.Option("--longest", metavar="TIME", help="No pause is longer.")] = "2s",
    fast: Annotated[bool, typer.Option("--fast", help="Everything at once.", show_default=False)] = False,
    step: Annotated[
        bool,
        typer.Option("--step", help="Event by event: Enter goes on, and says what comes next.", show_default=False),
    ] = False,
    start: Annotated[int, _POSITION] = 0,
    end: Annotated[int | None, _END] = None,
) -> None:
    """Play a thread again, from the log or from a file: as it happened, faster, or event by event.

    Nothing is done again: what is played is what was recorded. From a file it needs no database and no server, so that
    a thread can be attached to a report of a bug.
    """
    tempo = _tempo(speed, longest, fast=fast)
    if end is not None and end < start:
        raise BadUsage(f"--to {end} lies before --from {start}")
    if step and run.output.json:
        raise BadUsage("--step is for people, --json is not", remedy="leave one of them out")
    thread, events = await _events(run, source, end)
    if (wanted := max(start, end or 0)) >= len(events):
        raise NotFound(f"thread {thread} has no position {wanted}", remedy=f"its last one is {len(events) - 1}")
    if step:
        from cli.player import Steps

        await Steps(run.output, events, lambda: _story(run, thread)).walk(start)
    else:
        await _play(run, thread, events, start, tempo)


def _tempo(speed: float, longest: str, *, fast: bool) -> "Tempo":
    from cli.given import seconds
    from cli.player import Tempo

    if not (speed > 0 and not math.isnan(speed)):
        raise BadUsage(f"--speed {speed:g} is no speed", remedy="write a number above 0; 2 is twice as fast")
    return Tempo(math.inf if fast else speed, seconds("--longest", longest) or 0.0)


async def _events(run: Invocation, source: str, end: int | None) -> "tuple[ThreadId, Sequence[Recorded]]":
    """The thread and its events up to a position. A file that is there goes before a thread of its name."""
    if _is_file(source):
        return _from_file(source, end)
    from cli.given import thread_id

    thread = thread_id(source)
    async with run.threads() as threads:
        return thread, [recorded async for recorded in threads.events(thread, end)]


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except (OSError, ValueError):  # no path at all
        return False


def _from_file(file: str, end: int | None) -> "tuple[ThreadId, Sequence[Recorded]]":
    from cli.archives import read_archive
    from eventlog.archive import whole
    from eventlog.encoding import decode

    archive = read_archive(file, "replayed")
    rows = archive.rows if end is None else archive.rows[: end + 1]
    return archive.thread, [decode(whole(row, archive.artifacts)) for row in rows]


def _story(run: Invocation, thread: "ThreadId") -> "Story":
    from cli.headlines import Headlines
    from cli.story import Story

    return Story(thread, Headlines(run.settings))


async def _play(run: Invocation, thread: "ThreadId", events: "Sequence[Recorded]", start: int, tempo: "Tempo") -> None:
    from cli.answers import event_json
    from cli.pages import thread_page, timeline_row
    from cli.player import timed

    story, page = _story(run, thread), run.output.page
    for recorded in events[:start]:
        story.take(recorded)
    async for recorded in timed(events[start:], tempo):
        story.take(recorded)
        if run.output.json:
            run.output.raw(event_json(recorded))
        else:
            page.print(timeline_row(story.lines[-1]), soft_wrap=not page.is_terminal)
    report = story.report()
    run.output.answer(report, lambda page: thread_page(page, report, ()))
