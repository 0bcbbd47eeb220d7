"""Steering a thread while it runs: interrupt it, turn it, stop it at points, let it go on step by step."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command
from cli.errors import BadUsage
from cli.given import Message, Reason, Signal, Thread
from cli.telling import tell

if TYPE_CHECKING:
    from eventlog.terms import Breakpoint

PANEL = "Steering"
EVERY_STEP = "before:step"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, panel=PANEL, examples=["perdure interrupt report-42 --reason 'the wrong folder'"])(interrupt)
    command(app, panel=PANEL, examples=["perdure steer report-42 'Only the files of this year.'"])(steer)
    command(app, panel=PANEL, examples=["perdure step report-42"])(step)
    command(
        app,
        panel=PANEL,
        name="break",
        examples=[
            "perdure break report-42",
            "perdure break report-42 'before:write_*'",
            "perdure break report-42 after:step",
            "perdure break report-42 after:step --clear",
            "perdure break report-42 --clear",
        ],
    )(break_)


async def interrupt(run: Invocation, thread: Thread, reason: Reason = None, signal: Signal = False) -> None:
    """Stop what runs in a thread now, and keep it: it waits for a message, or to be resumed."""
    from cli.given import made, thread_id
    from projections.requests import Interrupt

    request = made(Interrupt, by=run.settings.principal, reason=reason)
    async with run.threads() as threads:
        await tell(run, threads, thread_id(thread), request, signal=signal)


async def steer(run: Invocation, thread: Thread, message: Message, signal: Signal = False) -> None:
    """Say something that takes effect at once: the model is asked again, and calls that are not begun are not run."""
    from cli.given import made, thread_id
    from cli.given import message as message_of
    from projections.requests import Steer

    request = made(Steer, message=message_of(message), sender=run.settings.principal)
    async with run.threads() as threads:
        await tell(run, threads, thread_id(thread), request, signal=signal)


async def step(run: Invocation, thread: Thread, signal: Signal = False) -> None:
    """Let a paused thread go on for one model call, or one round of tool calls; then it is paused again."""
    from cli.given import made, thread_id
    from projections.requests import StepOnce

    async with run.threads() as threads:
        await tell(run, threads, thread_id(thread), made(StepOnce, by=run.settings.principal), signal=signal)


async def break_(
    run: Invocation,
    thread: Thread,
    where: Annotated[
        str | None,
        typer.Argument(
            metavar="WHERE",
            help="before:step or after:step, or before: and after: a tool's name or a pattern of names.",
            show_default=EVERY_STEP,
        ),
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Take it back; without WHERE, all of them.", show_default=False)
    ] = False,
    signal: Signal = False,
) -> None:
    """Stop a thread at a point, every time; `perdure resume` goes past it, `perdure step` goes on by one step."""
    from cli.given import made, thread_id
    from projections.requests import ClearBreakpoint, SetBreakpoint

    by = run.settings.principal
    point = breakpoint_of(where or EVERY_STEP)
    request = (
        made(ClearBreakpoint, id=where, by=by)
        if clear
        else made(SetBreakpoint, id=point.id, when=point.when, tool=point.tool, by=by)
    )
    async with run.threads() as threads:
        await tell(run, threads, thread_id(thread), request, signal=signal)


def breakpoint_of(where: str) -> "Breakpoint":
    """The breakpoint that stands there, under that very name."""
    from cli.given import made
    from eventlog.terms import Breakpoint

    when, colon, name = where.partition(":")
    if not colon or when not in ("before", "after") or not name:
        raise BadUsage(f"{where!r} is no point", remedy="as in before:step, after:step or 'before:write_*'")
    return made(Breakpoint, when=when, tool=None if name == "step" else name)
