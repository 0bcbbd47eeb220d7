"""Budgets that threads share: whether their file is right, and how they stand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command

if TYPE_CHECKING:
    from budgets.files import Budgets
    from settings import Settings

PANEL = "Money"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(
        help="What tenants and principals may use in a day or a month.", no_args_is_help=True, rich_markup_mode="rich"
    )
    command(
        group,
        panel="Commands",
        examples=["perdure budgets check", "perdure budgets check ./budgets.yaml --tenant acme --json"],
    )(check)
    command(
        group,
        panel="Commands",
        examples=["perdure budgets show", "perdure budgets show --tenant acme --json | jq '.accounts[].left'"],
    )(show)
    app.add_typer(group, name="budgets", rich_help_panel=PANEL)


async def check(
    run: Invocation,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The file. Not given: PERDURE_BUDGETS.", show_default=False),
    ] = None,
    *,
    tenant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what counts for this tenant.", show_default=False)
    ] = None,
    principal: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what counts for this principal.", show_default=False)
    ] = None,
) -> None:
    """Tell what is wrong with a file of budgets, line by line, or what it says. Nothing is changed."""
    from cli.budget_pages import budget_json, budgets_page

    read = _read(run.settings, file)
    found = [each for each in read.budgets if _concerns(each.tenants, tenant) and _concerns(each.principals, principal)]
    answer = {"ok": True, "budgets": [budget_json(each) for each in found]}
    run.output.answer(answer, lambda page: budgets_page(page, found))


async def show(
    run: Invocation,
    *,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="Only this tenant's.", show_default=False)] = None,
    principal: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this principal's.", show_default=False)
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="PERIOD", help="A day or a month of UTC, as in 2026-11-21 or 2026-11. Not given: these now."
        ),
    ] = None,
) -> None:
    """Show what is spent, set aside and left of each budget. What nobody has used yet is not shown."""
    from datetime import UTC, datetime

    from bootstrap import open_log
    from budgets.account import period_of
    from budgets.postgres import PostgresBook
    from cli.budget_pages import standing, standings_page
    from cli.connection import places, quiet_logs

    read, now = _read(run.settings, None), datetime.now(UTC)
    periods = [at] if at is not None else [period_of(now, "day"), period_of(now, "month")]
    quiet_logs()
    where = await places(run.settings)
    async with open_log(run.settings, where.database) as log:
        book = PostgresBook(log.statements)
        await book.check()
        balances = await book.balances(periods)
    stand = [standing(read, balance) for balance in balances]
    found = [each for each in stand if tenant in (None, each.tenant) and principal in (None, each.principal)]
    run.output.answer({"accounts": found}, lambda page: standings_page(page, found))


def _concerns(patterns: tuple[str, ...] | None, name: str | None) -> bool:
    from policy.patterns import Globs

    return name is None or patterns is None or Globs(patterns).match(name) is True


def _read(settings: "Settings", file: Path | None) -> "Budgets":
    """The file of budgets; raises `InvalidFile`, or `BadUsage` where none is named."""
    from budgets.files import read_budgets
    from cli.errors import BadUsage

    chosen = file or settings.budgets
    if chosen is None:
        raise BadUsage("there are no budgets", remedy="set PERDURE_BUDGETS to their file, or name it")
    return read_budgets(chosen)
