"""Allowing a thread more than it was allowed."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command
from cli.errors import BadUsage
from cli.given import Reason, Signal, Thread

if TYPE_CHECKING:
    from eventlog.raises import Raise

PANEL = "Money"


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        panel=PANEL,
        name="raise",
        examples=[
            "perdure raise report-42 --cost 5",
            "perdure raise report-42 --turns 20 --tool write_file=3 --reason 'nearly done'",
            "perdure raise report-42 --refuse --reason 'it is not worth that'",
        ],
    )(raise_)


async def raise_(
    run: Invocation,
    thread: Thread,
    *,
    cost: Annotated[
        str | None, typer.Option(metavar="USD", help="So many US dollars more.", show_default=False)
    ] = None,
    tokens: Annotated[int | None, typer.Option(metavar="N", help="So many tokens more.", show_default=False)] = None,
    turns: Annotated[
        int | None, typer.Option(metavar="N", help="So many model calls more.", show_default=False)
    ] = None,
    tool_calls: Annotated[
        int | None, typer.Option(metavar="N", help="So many tool calls more.", show_default=False)
    ] = None,
    calls: Annotated[
        int | None,
        typer.Option(metavar="N", help="So many calls more, of a budget that threads share.", show_default=False),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(metavar="TIME", help="So much longer: 90s, 15m, 8h.", show_default=False)
    ] = None,
    tool: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=N", help="So many calls of one tool more. Can be repeated.", show_default=False),
    ] = None,
    unpriced: Annotated[
        bool, typer.Option("--unpriced", help="It may ask models whose price is not known.", show_default=False)
    ] = False,
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Allow no more: it ends at its limit.", show_default=False)
    ] = False,
    reason: Reason = None,
    signal: Signal = False,
) -> None:
    """Allow a thread more; where a shared budget has no more, allow more of that, for all who wait for it."""
    from cli.given import made, seconds, thread_id
    from cli.telling import tell
    from projections.requests import RaiseBudget

    given = {
        "cost": cost,
        "tokens": tokens,
        "turns": turns,
        "tool_calls": tool_calls,
        "calls": calls,
        "runtime": seconds("--runtime", runtime),
        "tools": dict(_tool(each) for each in tool or []),
        "unpriced": unpriced,
    }
    amounts = _amounts({name: value for name, value in given.items() if value})
    if not refuse and not amounts.model_dump():
        raise BadUsage("say how much more", remedy="as in --cost 5; or --refuse")
    request = made(RaiseBudget, amounts=amounts, refuse=refuse, by=run.settings.principal, reason=reason)
    async with run.threads() as threads:
        await tell(run, threads, thread_id(thread), request, signal=signal)


def _amounts(given: dict[str, object]) -> "Raise":
    from cli.given import made
    from eventlog.raises import Raise

    return made(Raise, **given)


def _tool(given: str) -> tuple[str, str]:
    name, equals, count = given.rpartition("=")
    if not equals or not name:
        raise BadUsage(f"--tool {given} names no tool", remedy="write it as in --tool write_file=3")
    return name, count
