"""What people do to threads: approve, deny, pause, resume, terminate, and see what waits for them."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command
from cli.errors import BadUsage
from cli.given import Reason, Signal, Thread

if TYPE_CHECKING:
    from cli.threads import Threads, Wish
    from eventlog.streams import ThreadId

PANEL = "People"

Call = Annotated[
    str | None,
    typer.Argument(
        metavar="CALL",
        help="The call's id, or enough of it to be unambiguous; may be left out where one call waits.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(
        app,
        panel=PANEL,
        examples=[
            "perdure approve report-42",
            "perdure approve report-42 toolu_01A --comment 'looks right'",
            """perdure approve report-42 --edit '{"path": "report.md", "content": "…"}'""",
        ],
    )(approve)
    command(app, panel=PANEL, examples=["perdure deny report-42 --reason 'write it to docs/ instead'"])(deny)
    command(app, panel=PANEL, examples=["perdure pending", "perdure pending report-42 --json"])(pending)
    command(app, panel=PANEL, examples=["perdure pause report-42 --reason 'back on Monday'"])(pause)
    command(app, panel=PANEL, examples=["perdure resume report-42"])(resume)
    command(app, panel=PANEL, examples=["perdure terminate report-42 --reason 'no longer needed'"])(terminate)
    command(
        app,
        panel=PANEL,
        examples=["""perdure record report-42 acme.InvoicePaid --data '{"invoice": "17", "amount": "39.90"}'"""],
    )(record)


async def approve(
    run: Invocation,
    thread: Thread,
    call: Call = None,
    edit: Annotated[
        str | None,
        typer.Option("--edit", metavar="JSON", help="Run it with these arguments instead.", show_default=False),
    ] = None,
    comment: Annotated[
        str | None, typer.Option("--comment", metavar="TEXT", help="Kept with the approval.", show_default=False)
    ] = None,
    signal: Signal = False,
) -> None:
    """Allow one tool call, once, with exactly the arguments that were asked about."""
    from cli.given import json_object, made, thread_id
    from projections.requests import Approve

    edited = json_object("--edit", edit)
    async with run.threads() as threads:
        id_ = thread_id(thread)
        call_id = await threads.call(id_, call)
        request = made(
            Approve, call_id=call_id, approver=run.settings.principal, comment=comment, edited_arguments=edited
        )
        await _tell(run, threads, id_, request, signal=signal)


async def deny(
    run: Invocation,
    thread: Thread,
    call: Call = None,
    reason: Reason = None,
    signal: Signal = False,
) -> None:
    """Forbid one tool call. The model reads the reason, and goes on without."""
    from cli.given import made, thread_id
    from projections.requests import Deny

    if reason is None or not reason.strip():
        raise BadUsage("say why: the model reads it", remedy="as in --reason 'write it to docs/ instead'")
    async with run.threads() as threads:
        id_ = thread_id(thread)
        call_id = await threads.call(id_, call)
        request = made(Deny, call_id=call_id, approver=run.settings.principal, reason=reason)
        await _tell(run, threads, id_, request, signal=signal)


async def pending(
    run: Invocation,
    thread: Annotated[
        str | None, typer.Argument(metavar="THREAD", help="Only this thread's.", show_default=False)
    ] = None,
) -> None:
    """Show what waits for approval, with the exact arguments."""
    from cli.given import thread_id
    from cli.pages import pending_page

    async with run.threads() as threads:
        found = await threads.pending(None if thread is None else thread_id(thread))
    run.output.answer({"pending": found}, lambda page: pending_page(page, found))


async def pause(run: Invocation, thread: Thread, reason: Reason = None, signal: Signal = False) -> None:
    """Begin nothing new in a thread until it is resumed; what runs is finished."""
    from cli.given import made, thread_id
    from projections.requests import Pause

    async with run.threads() as threads:
        request = made(Pause, by=run.settings.principal, reason=reason)
        await _tell(run, threads, thread_id(thread), request, signal=signal)


async def resume(run: Invocation, thread: Thread, signal: Signal = False) -> None:
    """Let a paused thread go on; also one that waits because its model could not be asked."""
    from cli.given import made, thread_id
    from projections.requests import Resume

    async with run.threads() as threads:
        await _tell(run, threads, thread_id(thread), made(Resume, by=run.settings.principal), signal=signal)


async def terminate(run: Invocation, thread: Thread, reason: Reason = None, signal: Signal = False) -> None:
    """End a thread now. What it did stays in the log."""
    from cli.given import made, thread_id
    from projections.requests import Terminate

    async with run.threads() as threads:
        request = made(Terminate, by=run.settings.principal, reason=reason)
        await _tell(run, threads, thread_id(thread), request, signal=signal)


async def record(
    run: Invocation,
    thread: Thread,
    name: Annotated[
        str, typer.Argument(metavar="EVENT", help="What happened, as in acme.InvoicePaid.", show_default=False)
    ],
    data: Annotated[
        str, typer.Option("--data", metavar="JSON", help="Its fields; @FILE reads them from a file.")
    ] = "{}",
    version: Annotated[
        int | None,
        typer.Option("--version", min=1, metavar="N", help="Of the data's shape; the newest.", show_default=False),
    ] = None,
    signal: Signal = False,
) -> None:
    """Write an event of your own into a thread's stream; the worker's plugins say which there are."""
    from cli.given import json_object, made, text_or_file, thread_id
    from projections.requests import Record

    given = json_object("--data", text_or_file("--data", data))
    async with run.threads() as threads:
        request = made(Record, type=name, data=given, version=version, by=run.settings.principal)
        await _tell(run, threads, thread_id(thread), request, signal=signal)


async def _tell(run: Invocation, threads: "Threads", thread: "ThreadId", request: "Wish", *, signal: bool) -> None:
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
