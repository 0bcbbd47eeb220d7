"""The schemas of events: written out for others, and held against those that were released."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command
from cli.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from eventlog.releases import Problem

PANEL = "System"
RELEASED = Path(__file__).parents[1] / "schemas"
"""The schemas of every version that was released."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(
        help="The JSON Schemas of events, and whether old events can still be read.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    command(
        group,
        panel="Commands",
        examples=[
            "perdure schema export schemas",
            "perdure schema export | jq .UserMessageAdded",
        ],
    )(export)
    command(group, panel="Commands", examples=["perdure schema check", "perdure schema check --json | jq .problems"])(
        check
    )
    app.add_typer(group, name="schema", rich_help_panel=PANEL)


async def export(
    run: Invocation,
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Where a file for each is written; - prints them all.")
    ] = "-",
) -> ExitCode:
    """Write the JSON Schema of every event, plugins' included, in its newest version, and of the metadata.

    A file that was released is only ever replaced by one that takes everything it took.
    """
    from bootstrap import load_extensions
    from eventlog.releases import Incompatible
    from eventlog.releases import export as write_all
    from eventlog.schema import schemas

    vocabulary = load_extensions(run.settings).events
    if folder == "-":
        run.output.raw(schemas(vocabulary))
        return ExitCode.OK
    try:
        changed = write_all(Path(folder), vocabulary)
    except Incompatible as error:
        return _told(run, error.problems)
    words = f"written to {folder}: {', '.join(changed)}" if changed else f"{folder} is up to date"
    run.output.answer({"folder": folder, "written": changed}, lambda page: page.print(words, soft_wrap=True))
    return ExitCode.OK


async def check(
    run: Invocation,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="Where they were exported to; this version's own.", show_default=False),
    ] = None,
) -> ExitCode:
    """Tell whether this version reads every event that was released, and the schemas are those of its classes.

    A folder of your own holds the schemas of your plugins' events, too: keep it with them, and check it in their tests.
    """
    from bootstrap import load_extensions
    from cli.errors import BadUsage
    from eventlog.releases import problems
    from eventlog.vocabulary import NO_EVENTS

    place = folder or RELEASED
    vocabulary = NO_EVENTS if folder is None else load_extensions(run.settings).events
    if not place.is_dir():
        raise BadUsage(f"there is no folder {place}", remedy="write one: perdure schema export FOLDER")
    return _told(run, list(problems(place, vocabulary)))


def _told(run: Invocation, problems: "Sequence[Problem]") -> ExitCode:
    def draw(page: "Console") -> None:
        for each in problems:
            page.print(f"{each.name}: {each.problem}", style="red", markup=False, soft_wrap=True)
            page.print(f"  {each.remedy}", markup=False, soft_wrap=True)
        if not problems:
            page.print("every schema that was released is kept")

    run.output.answer({"ok": not problems, "problems": problems}, draw)
    return ExitCode.FAILED if problems else ExitCode.OK
