"""Waiting for a thread in front of a person: what happens is shown on stderr, and how to answer what it asks."""

from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

from cli.answers import ThreadReport
from cli.following import Progress
from cli.output import Output
from cli.pages import timeline_row
from cli.threads import Threads
from eventlog.streams import ThreadId

if TYPE_CHECKING:
    from rich.status import Status as Spinner


async def attend(output: Output, threads: Threads, thread: ThreadId, *, beyond: int = 0) -> ThreadReport:
    """The thread as soon as it has ended, replied, or needs a person who is not here.

    `beyond` is the position from which on its state counts. On a terminal a question is shown and waited for: it can
    be answered in another one. Elsewhere the caller is told, and decides.
    """
    report = await threads.report(thread)
    with _watching(output) as view:
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
    needs_person = bool(report.pending) or report.status == "paused"
    return not (needs_person and patient)


class _View:
    """What a waiting person sees; nothing where nobody watches."""

    def __init__(self, output: Output, spinner: "Spinner | None") -> None:
        self._output = output
        self._spinner = spinner
        self._told: set[str] = set()

    def show(self, progress: Progress, beyond: int) -> None:
        """Bring the view up to date."""
        if self._spinner is None:
            return
        for line in progress.lines:
            if line.position >= beyond:
                self._output.notes.print(timeline_row(line))
        report = progress.report
        self._spinner.update(f"{report.status} · {report.turns} turns · {report.tool_calls} tool calls")
        for question in report.pending:
            if question.call_id not in self._told:
                self._tell(f"perdure approve {report.thread_id} {question.call_id}")
                self._told.add(question.call_id)
        if report.status == "paused" and "paused" not in self._told:
            self._tell(f"perdure resume {report.thread_id}")
        self._told = self._told | {"paused"} if report.status == "paused" else self._told - {"paused"}

    def _tell(self, answer: str) -> None:
        self._output.note(f"in another terminal: {answer}")


@contextmanager
def _watching(output: Output) -> Iterator[_View]:
    if not output.live:
        yield _View(output, None)
        return
    with output.notes.status("starting") as spinner:
        yield _View(output, spinner)
