"""Waiting for a thread in front of a person: what happens is shown on stderr, and how to answer what it asks."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

from rich.text import Text

from cli.answers import ThreadReport
from cli.following import Progress
from cli.output import Output
from cli.pages import counts, needs, timeline_row
from cli.threads import Threads
from eventlog.streams import ThreadId

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status as Spinner


async def attend(output: Output, threads: Threads, thread: ThreadId, *, beyond: int = 0) -> ThreadReport:
    """The thread as soon as it has ended, replied, or needs a person who is not here.

    `beyond` is the position from which on its state counts. On a terminal a question is shown and waited for: it can
    be answered in another one. Elsewhere the caller is told, and decides.
    """
    report = await threads.report(thread)
    with _watching(output, thread) as view:
        async with aclosing(threads.follow(thread)) as progress:
            async for each in progress:
                report = each.report
                view.show(each, beyond)
                if report.position >= beyond and _settled(report, patient=output.live):
                    break
                if report.ended:
                    break
    return report


def _settled(report: ThreadReport, *, patient: bool) -> bool:
    """Whether waiting longer is of no use, or not without a person."""
    if report.status == "running":
        return False
    needs_person = bool(report.pending) or report.status == "paused" or bool(report.stopped_at)
    return not (needs_person and patient)


class Needs:
    """What a thread needs of a person, told once each."""

    def __init__(self) -> None:
        self._told: frozenset[str] = frozenset()

    def tell(self, page: "Console", report: ThreadReport) -> None:
        """Print what is new."""
        now = needs(report)
        for key, need in now.items():
            if key not in self._told:
                page.print(need, soft_wrap=True)
        self._told = frozenset(now)


class _View:
    """What a waiting person sees; nothing where nobody watches."""

    def __init__(self, output: Output, spinner: "Spinner | None") -> None:
        self._output = output
        self._spinner = spinner
        self._needs = Needs()

    def show(self, progress: Progress, beyond: int) -> None:
        """Bring the view up to date."""
        if self._spinner is None:
            return
        notes, report = self._output.notes, progress.report
        for line in progress.lines:
            if line.position >= beyond:
                notes.print(timeline_row(line), no_wrap=True, overflow="ellipsis")
        self._spinner.update(Text(" · ".join([report.status, *counts(report)])))
        self._needs.tell(notes, report)


@contextmanager
def _watching(output: Output, thread: ThreadId) -> Iterator[_View]:
    if not output.live:
        yield _View(output, None)
        return
    try:
        with output.notes.status("starting") as spinner:
            yield _View(output, spinner)
    except asyncio.CancelledError:
        output.note(f"no longer waiting; the thread goes on: perdure watch {thread}")
        raise
