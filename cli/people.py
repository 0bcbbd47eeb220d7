"""What people do to threads: approve, deny, pause, resume, terminate, and see what waits for them."""

from typing import Annotated

import typer

from cli.command import Invocation, command
from cli.errors import BadUsage
from cli.given import Reason, Signal, Thread
from cli.telling import tell

PANEL = "People"
STEERING = "Steering"

Call = Annotated[
    str | None,
    typer.Argument(
        metavar="CALL",
        help="The call's id, or enough of it to be unambiguous; may be left out where one call waits.",
        show_default=False,
    ),
]

Seen = Annotated[
    int | None,
    typer.Option(
        "--position",
        min=0,
        metavar="N",
        help="Where what you answer stands, as perdure pending shows it: needed where the arguments were changed.",
        show_default=False,
    ),
]
Token = Annotated[
    str | None,
    typer.Option("--token", metavar="TOKEN", help="The question's token, where it wants one.", show_default=False),
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
            "perdure approve report-42 --remember tool",
            "perdure approve -i",
        ],
    )(approve)
    command(app, panel=PANEL, examples=["perdure deny report-42 --reason 'write it to docs/ instead'"])(deny)
    command(app, panel=PANEL, examples=["perdure token report-42", "perdure token report-42 toolu_01A --json"])(token)
    command(app, panel=STEERING, examples=["perdure pause report-42 --reason 'back on Monday'"])(pause)
    command(app, panel=STEERING, examples=["perdure resume report-42"])(resume)
    command(app, panel=STEERING, examples=["perdure terminate report-42 --reason 'no longer needed'"])(terminate)
    command(
        app,
        panel=PANEL,
        examples=["""perdure record report-42 acme.InvoicePaid --data '{"invoice": "17", "amount": "39.90"}'"""],
    )(record)


async def approve(
    run: Invocation,
    thread: Annotated[
        str | None,
        typer.Argument(metavar="THREAD", help="The thread's id; with -i, all of them.", show_default=False),
    ] = None,
    call: Call = None,
    *,
    edit: Annotated[
        str | None,
        typer.Option("--edit", metavar="JSON", help="Run it with these arguments instead.", show_default=False),
    ] = None,
    comment: Annotated[
        str | None, typer.Option("--comment", metavar="TEXT", help="Kept with the approval.", show_default=False)
    ] = None,
    remember: Annotated[
        str | None,
        typer.Option(
            "--remember",
            metavar="WHAT",
            help="From now on allow, in this thread: tool, every call of the tool; arguments, the very same.",
            show_default=False,
        ),
    ] = None,
    position: Seen = None,
    token: Token = None,
    signal: Signal = False,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", "-i", help="Walk through all questions that you may answer.", show_default=False),
    ] = False,
) -> None:
    """Allow one tool call, once, with exactly the arguments that were asked about."""
    if interactive:
        await _walk(run, thread)
        return
    if thread is None:
        raise BadUsage("say which thread", remedy="as in perdure approve report-42, or walk through all with -i")
    from cli.given import json_object, made, thread_id
    from projections.requests import Approve

    edited = json_object("--edit", edit)
    async with run.threads() as threads:
        id_ = thread_id(thread)
        call_id = await threads.call(id_, call)
        if position is None and edited is None:
            position = await threads.asked_at(id_, call_id)
        given = {"comment": comment, "edited_arguments": edited, "remember": remember, "position": position}
        request = made(Approve, call_id=call_id, approver=run.settings.principal, token=token, **given)
        await tell(run, threads, id_, request, signal=signal)


async def _walk(run: Invocation, thread: str | None) -> None:
    """Show everything that waits for this person, one after another, and take their answers."""
    from cli.inbox import waiting
    from cli.walk import walk

    if run.output.json:
        raise BadUsage("-i is for people", remedy="scripts use perdure pending --json, then approve, deny and answer")
    async with run.threads() as threads:
        await walk(run, threads, await waiting(threads, thread, name=run.settings.principal))


async def deny(
    run: Invocation,
    thread: Thread,
    call: Call = None,
    reason: Reason = None,
    position: Seen = None,
    token: Token = None,
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
        answer = {"approver": run.settings.principal, "reason": reason, "position": position, "token": token}
        request = made(Deny, call_id=call_id, **answer)
        await tell(run, threads, id_, request, signal=signal)


async def token(run: Invocation, thread: Thread, call: Call = None) -> None:
    """Print the token that an answer must show, where a question wants one. It takes the key it is made of."""
    from activities.tokens import Tokens
    from cli.given import thread_id

    tokens = Tokens(run.settings.approval_key)
    async with run.threads() as threads:
        id_ = thread_id(thread)
        call_id = await threads.call(id_, call)
        asked = await threads.question_id(id_, call_id)
    if asked is None:
        raise BadUsage(f"no question about {call_id} wants a token now", remedy="`perdure pending` shows what waits")
    made = tokens.token_of(asked)
    if made is None:
        raise BadUsage("there is no key to make it of", remedy="set PERDURE_APPROVAL_KEY as the worker has it")
    answer = {"thread_id": id_, "call_id": call_id, "token": made}
    run.output.answer(answer, lambda page: page.print(made, highlight=False, markup=False, soft_wrap=True))


async def pause(run: Invocation, thread: Thread, reason: Reason = None, signal: Signal = False) -> None:
    """Begin nothing new in a thread until it is resumed; what runs is finished."""
    from cli.given import made, thread_id
    from projections.requests import Pause

    async with run.threads() as threads:
        request = made(Pause, by=run.settings.principal, reason=reason)
        await tell(run, threads, thread_id(thread), request, signal=signal)


async def resume(run: Invocation, thread: Thread, signal: Signal = False) -> None:
    """Let a paused or interrupted thread go on; also one that waits because its model could not be asked."""
    from cli.given import made, thread_id
    from projections.requests import Resume

    async with run.threads() as threads:
        await tell(run, threads, thread_id(thread), made(Resume, by=run.settings.principal), signal=signal)


async def terminate(run: Invocation, thread: Thread, reason: Reason = None, signal: Signal = False) -> None:
    """End a thread now. What it did stays in the log."""
    from cli.given import made, thread_id
    from projections.requests import Terminate

    async with run.threads() as threads:
        request = made(Terminate, by=run.settings.principal, reason=reason)
        await tell(run, threads, thread_id(thread), request, signal=signal)


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
        await tell(run, threads, thread_id(thread), request, signal=signal)
