"""Dead letters: what could not be delivered or dealt with, and what becomes of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.command import Invocation, command
from cli.exits import ExitCode

if TYPE_CHECKING:
    from eventlog.dead_letters import DeadLetter
    from notices.again import Again

PANEL = "System"
Which = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID...", help="Ids, or how they begin, as `list` shows them.", show_default=False),
]
All = Annotated[bool, typer.Option("--all", help="All that are open.", show_default=False)]
Kind = Annotated[
    str | None,
    typer.Option("--kind", metavar="PATTERN", help="Only of this kind, as in approval.*", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(
        help="What could not be delivered or dealt with: look, try again, or give it up.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    command(
        group,
        panel="Commands",
        name="list",
        examples=["perdure dead-letters list", "perdure dead-letters list --closed --json"],
    )(list_)
    command(group, panel="Commands", examples=["perdure dead-letters show 019a"])(show)
    command(
        group,
        panel="Commands",
        examples=["perdure dead-letters retry 019a", "perdure dead-letters retry --all --kind 'approval.*'"],
    )(retry)
    command(
        group,
        panel="Commands",
        examples=["perdure dead-letters discard 019a --reason 'told by phone'", "perdure dead-letters discard --all"],
    )(discard)
    app.add_typer(group, name="dead-letters", rich_help_panel=PANEL)


async def list_(
    run: Invocation,
    closed: Annotated[
        bool, typer.Option("--closed", help="Also those that were delivered or given up.", show_default=False)
    ] = False,
    kind: Kind = None,
) -> None:
    """List what could not be delivered or dealt with, oldest first."""
    from cli.notice_pages import letter_line, letters_page

    async with _again(run) as again:
        letters = [
            letter
            for letter in await again.office.letters.all()
            if (closed or letter.state == "open") and _is_of(letter, kind)
        ]
    lines = [letter_line(letter) for letter in letters]
    run.output.answer({"dead_letters": lines}, lambda page: letters_page(page, lines))


async def show(
    run: Invocation, id_: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.")]
) -> None:
    """Show one, and everything that happened to it."""
    from cli.notice_pages import letter_page, letter_told

    async with _again(run) as again:
        [letter] = await _chosen(again, [id_], everything=False, kind=None, closed=True)
    told = letter_told(letter)
    run.output.answer(told, lambda page: letter_page(page, told))


async def retry(run: Invocation, ids: Which = None, everything: All = False, kind: Kind = None) -> ExitCode:
    """Try again now, and tell what comes of each. Ends with 1 where one of them is still not taken."""
    from cli.notice_pages import tried_line, tried_page

    async with _again(run) as again:
        letters = await _chosen(again, ids or [], everything=everything, kind=kind)
        lines = [tried_line(await _decided(again.retry(letter, run.settings.principal))) for letter in letters]
    run.output.answer({"tried": lines}, lambda page: tried_page(page, lines))
    return ExitCode.OK if all(line["delivered"] for line in lines) else ExitCode.FAILED


async def discard(
    run: Invocation,
    ids: Which = None,
    everything: All = False,
    kind: Kind = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why: it is recorded.", show_default=False)] = "",
) -> None:
    """Give up: it is not listed any more, and the record of it stays."""
    async with _again(run) as again:
        letters = await _chosen(again, ids or [], everything=everything, kind=kind)
        for letter in letters:
            await _decided(again.discard(letter, run.settings.principal, reason))
    ids_ = [letter.id for letter in letters]
    run.output.answer({"discarded": ids_}, lambda page: page.print(f"{len(ids_)} given up", highlight=False))


@asynccontextmanager
async def _again(run: Invocation) -> AsyncIterator["Again"]:
    from bootstrap import load_extensions, open_log, open_office, open_vault
    from cli.connection import places
    from eventlog.subscriber import Subscriber
    from ledger.book import Book
    from notices.again import Again

    settings = run.settings
    where = await places(settings)
    async with (
        open_log(settings, where.database) as log,
        open_office(settings, log, open_vault(settings)) as office,
    ):
        brought = [each.consumer for each in load_extensions(settings).of(Subscriber)]
        consumers = {each.name: each for each in (*office.consumers, Book(log.feed).consumer, *brought)}
        yield Again(office, log.feed, consumers)


async def _chosen(
    again: "Again", ids: Sequence[str], *, everything: bool, kind: str | None, closed: bool = False
) -> "Sequence[DeadLetter]":
    """The letters that are meant; `BadUsage` and `NotFound` say what is wrong."""
    from cli.errors import BadUsage, NotFound

    if bool(ids) == everything:
        raise BadUsage("say which: their ids, or --all", remedy="perdure dead-letters list shows the ids")
    letters = await again.office.letters.all()
    wanted = [letter for letter in letters if closed or letter.state == "open"]
    if everything:
        return [letter for letter in wanted if _is_of(letter, kind)]
    found = []
    for id_ in dict.fromkeys(ids):
        fitting = [letter for letter in wanted if letter.id.startswith(id_)]
        if not fitting:
            raise NotFound(f"no dead letter that is open has an id that begins with {id_!r}")
        if len(fitting) > 1:
            raise BadUsage(f"{len(fitting)} dead letters have ids that begin with {id_!r}: write more of it")
        found += fitting
    return found


async def _decided(work: Any) -> Any:
    from cli.errors import Refused
    from eventlog.dead_letters import AlreadyDecided

    try:
        return await work
    except AlreadyDecided as error:
        raise Refused(str(error)) from error


def _is_of(letter: "DeadLetter", kind: str | None) -> bool:
    from fnmatch import fnmatchcase

    return kind is None or fnmatchcase(letter.died.kind, kind)
