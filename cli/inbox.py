"""The inbox: what waits for a person, in all threads, soonest to expire first."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command
from cli.errors import BadUsage

if TYPE_CHECKING:
    from cli.answers import PendingQuestion
    from cli.threads import Threads

PANEL = "People"


class Kind(StrEnum):
    """What is asked of a person."""

    approval = "approval"
    confirm = "confirm"
    choose = "choose"
    input = "input"
    upload = "upload"
    review = "review"
    budget = "budget"
    loop = "loop"


OneThread = Annotated[str | None, typer.Argument(metavar="THREAD", help="Only this thread's.", show_default=False)]
Kinds = Annotated[
    list[Kind] | None, typer.Option("--kind", help="Only such questions. Can be repeated.", show_default=False)
]
Tenant = Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="Only this tenant's.", show_default=False)]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="NAME", help="Only what this person may answer.", show_default=False),
]
Mine = Annotated[bool, typer.Option("--mine", help="Only what you may answer.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        panel=PANEL,
        examples=["perdure pending", "perdure pending --mine --kind approval", "perdure pending report-42 --json"],
    )(pending)


async def pending(
    run: Invocation,
    thread: OneThread = None,
    kind: Kinds = None,
    tenant: Tenant = None,
    for_: For = None,
    mine: Mine = False,
) -> None:
    """Show what waits for a person, in all threads: approvals with the exact arguments, questions, budgets, circles."""
    from cli.question_pages import pending_page

    name = person(run, for_, mine=mine)
    async with run.threads() as threads:
        found = await waiting(threads, thread, kinds=kind, tenant=tenant, name=name)
    run.output.answer({"pending": found}, lambda page: pending_page(page, found))


def person(run: Invocation, for_: str | None, *, mine: bool) -> str | None:
    """Whose questions are meant; None for everybody's."""
    if mine and for_ is not None:
        raise BadUsage("--mine and --for name two people", remedy="give one of them")
    return run.settings.principal if mine else for_


async def waiting(
    threads: "Threads",
    thread: str | None,
    *,
    kinds: list[Kind] | None = None,
    tenant: str | None = None,
    name: str | None = None,
) -> list["PendingQuestion"]:
    """What waits, of these kinds and for this person, soonest to expire first."""
    from cli.given import thread_id
    from cli.questions import by_expiry, may_answer

    found = await threads.pending(None if thread is None else thread_id(thread))
    wanted = {kind.value for kind in kinds or Kind}
    chosen = (each for each in found if each.kind in wanted and tenant in (None, each.tenant))
    return by_expiry(each for each in chosen if name is None or may_answer(each, name))
