"""Circuit breakers: which providers and models are left alone, why, and how to let them be asked again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command
from cli.exits import ExitCode

if TYPE_CHECKING:
    from resilience.store import Store

PANEL = "System"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(
        help="Which providers and models are left alone for being ill.", no_args_is_help=True, rich_markup_mode="rich"
    )
    command(group, panel="Commands", name="list", examples=["perdure breakers list", "perdure breakers list --json"])(
        list_
    )
    command(
        group,
        panel="Commands",
        examples=["perdure breakers reset anthropic/claude-opus-5-5", "perdure breakers reset --all"],
    )(reset)
    app.add_typer(group, name="breakers", rich_help_panel=PANEL)


async def list_(
    run: Invocation,
    *,
    history: Annotated[int, typer.Option(metavar="N", min=0, help="How many changes to show, the newest first.")] = 10,
) -> ExitCode:
    """Show every circuit that ever failed, and how they changed. Whatever is not listed is well."""
    from dataclasses import asdict

    from cli.circuits import circuits_page

    async with _store(run) as store:
        circuits, changes = await store.circuits(), await store.changes(history)
    answer = {"circuits": [asdict(each) for each in circuits], "changes": [asdict(each) for each in changes]}
    run.output.answer(answer, lambda page: circuits_page(page, circuits, changes))
    return ExitCode.OK


async def reset(
    run: Invocation,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The circuit, as `list` names it.", show_default=False)
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> ExitCode:
    """Close a circuit by hand: its provider or model is asked again, by threads that wait within a minute."""
    from cli.circuits import reset_page
    from cli.errors import BadUsage, NotFound

    if (name is None) == (not everything):
        raise BadUsage("say which circuit", remedy="name one, as `perdure breakers list` does, or write --all")
    async with _store(run) as store:
        known = [each.name for each in await store.circuits()]
        if name is not None and name not in known:
            raise NotFound(
                f"there is no circuit {name!r}", remedy=f"there are: {', '.join(known) or 'none, for none ever failed'}"
            )
        closed = await store.reset(name, run.settings.principal)
    run.output.answer({"closed": list(closed)}, lambda page: reset_page(page, closed))
    return ExitCode.OK


@asynccontextmanager
async def _store(run: Invocation) -> AsyncIterator["Store"]:
    """What the workers share, in the log's database."""
    from bootstrap import open_log, open_store
    from cli.connection import places, quiet_logs
    from cli.errors import DatabaseUnreachable

    quiet_logs()
    where = await places(run.settings)
    async with open_log(run.settings, where.database) as log:
        store = await open_store(log)
        if store is None:
            raise DatabaseUnreachable(
                "the database has no tables for circuits",
                kind="database_misconfigured",
                remedy="see docs/resilience.md",
            )
        yield store
