"""Sending a request to a thread, and saying what became of it."""

from typing import TYPE_CHECKING

from cli.command import Invocation

if TYPE_CHECKING:
    from cli.threads import Threads, Wish
    from eventlog.streams import ThreadId


async def tell(run: Invocation, threads: "Threads", thread: "ThreadId", request: "Wish", *, signal: bool) -> None:
    """Send a request and say what became of it."""
    from cli.answers import RequestReport
    from cli.pages import request_page

    position = await threads.ask(thread, request, signal=signal)
    report = RequestReport(
        thread_id=thread,
        request=request.request,
        call_id=getattr(request, "call_id", None),
        sent="signal" if signal else "update",
        position=position,
        status=(await threads.report(thread)).status,
    )
    run.output.answer(report, lambda page: request_page(page, report))
