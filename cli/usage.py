"""What was used and what it cost, and which prices hold."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command

if TYPE_CHECKING:
    from datetime import date

    from ledger.report import Question

PANEL = "Money"
Day = Annotated[
    str | None,
    typer.Option(metavar="DAY", help="As in 2026-11-01, or 2026-11: a whole month. UTC.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(
        app,
        panel=PANEL,
        examples=[
            "perdure usage",
            "perdure usage report-42",
            "perdure usage --by tenant,month --from 2026-01 --csv > usage.csv",
            "perdure usage --by day --tenant acme --json | jq .total.cost_usd",
        ],
    )(usage)
    command(app, panel=PANEL, examples=["perdure prices", "perdure prices claude-opus-5 --on 2026-11-01"])(prices)


async def usage(
    run: Invocation,
    thread: Annotated[
        str | None, typer.Argument(metavar="[THREAD]", help="Only this thread.", show_default=False)
    ] = None,
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="thread, tenant, principal, model, tool, day or month; several, separated by commas. "
            "Not given: model and tool.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="The first day, as in 2026-11-01 or 2026-11, in UTC.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="The last day; of a month, its last.", show_default=False)
    ] = None,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="Only this tenant's.", show_default=False)] = None,
    principal: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of threads that they started.", show_default=False)
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="One row a line, with exact amounts.", show_default=False)] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the ledger again from the log first.", show_default=False)
    ] = False,
    alerts: Annotated[
        bool, typer.Option("--alerts", help="Show instead what alerts there were.", show_default=False)
    ] = False,
) -> None:
    """Tell what was used and what it cost, from the ledger. It is brought up to date first, worker or not."""
    from cli.accounts import open_accounts
    from cli.usage_pages import usage_csv, usage_json, usage_page
    from ledger.report import ask

    question = _question(thread, by, since, until, tenant, principal)
    if alerts:
        await _alerts(run, question)
        return
    async with open_accounts(run) as accounts:
        if question.thread is not None:
            await accounts.require(question.thread)
        if rebuild:
            await accounts.book.begin_again()
        behind = await accounts.bring_up()
        report = await ask(accounts.feed, question)
    if csv and not run.output.json:
        print(usage_csv(question, report), end="")
    else:
        run.output.answer(usage_json(question, report, behind), lambda page: usage_page(page, question, report))
    if behind:
        run.output.note(f"{behind:,} newer events are not in this yet: ask again in a moment")
    if report.total.unpriced:
        run.output.note("calls of unknown price were not free: perdure prices shows which prices are known")


async def _alerts(run: Invocation, question: "Question") -> None:
    """Those of the periods, tenant and principal that are asked about; alerts know of no single thread."""
    from cli.accounts import open_accounts
    from cli.usage_pages import alert_json, alerts_page
    from eventlog.streams import ALERT
    from ledger.alerts import alert_of

    async with open_accounts(run) as accounts:
        told = [(each, alert_of(each)) async for each in accounts.log.read_category(ALERT)]
    found = [(each.metadata.at, alert) for each, alert in told if alert is not None and alert.is_about(question)]
    answer = {"alerts": [alert_json(at, alert) for at, alert in found]}
    run.output.answer(answer, lambda page: alerts_page(page, found))


async def prices(
    run: Invocation,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME…]", help="Models or tools. Not given: all.", show_default=False)
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="DAY", help="Which holds on this day? Not given: today.", show_default=False)
    ] = None,
) -> None:
    """Show the prices of models, in US dollars per million tokens, and of tools, and from which day they hold."""
    from datetime import UTC, datetime

    from bootstrap import read_prices
    from cli.errors import NotFound
    from cli.usage_pages import listed_json, price_json, prices_page

    known = read_prices(run.settings)
    if names:
        found = [
            (kind, each)
            for name in names
            for kind, each in (("model", known.of_model(name)), ("tool", known.of_tool(name)))
        ]
        lines = [(kind, each) for kind, each in found if each is not None]
    else:
        lines = [*(("model", each) for each in known.models()), *(("tool", each) for each in known.tools())]
    if not lines:
        raise NotFound(
            f"no price is known of {', '.join(names or ())}",
            remedy="write it into a file and name that with PERDURE_PRICES_FILE: docs/usage.md shows one",
        )
    day = _day("--on", on, last=False) or datetime.now(UTC).date()
    answer = {**listed_json(), "on": day, "prices": [price_json(kind, each, day) for kind, each in lines]}
    run.output.answer(answer, lambda page: prices_page(page, lines, day))


def _question(
    thread: str | None,
    by: list[str] | None,
    since: str | None,
    until: str | None,
    tenant: str | None,
    principal: str | None,
) -> "Question":
    from cli.errors import BadUsage
    from cli.given import names, thread_id
    from ledger.report import NoSuchDimension, Question

    wanted = [name for each in by or () for name in names(each) or ()]
    try:
        return Question(
            tuple(dict.fromkeys(wanted)) or ("model", "tool"),
            thread_id(thread) if thread else None,
            tenant,
            principal,
            _day("--from", since, last=False),
            _day("--to", until, last=True),
        )
    except NoSuchDimension as error:
        raise BadUsage(str(error)) from error


def _day(option: str, text: str | None, *, last: bool) -> "date | None":
    """A day, or the first or last one of a month."""
    from calendar import monthrange
    from datetime import date

    from cli.errors import BadUsage

    if text is None:
        return None
    try:
        if len(text) == len("2026-11"):
            first = date.fromisoformat(f"{text}-01")
            return first.replace(day=monthrange(first.year, first.month)[1]) if last else first
        return date.fromisoformat(text)
    except ValueError:
        raise BadUsage(
            f"{option} {text} is no day", remedy="write it as in 2026-11-01, or 2026-11 for a month"
        ) from None
