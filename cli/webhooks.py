"""Webhooks: which there are, whether they answer, and a secret for a new one."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.command import Invocation, command
from cli.exits import ExitCode

if TYPE_CHECKING:
    from notices.office import Addressees
    from notices.webhook import Webhook

PANEL = "System"
READ = 2000
"""Bytes of an answer's body that are shown."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(
        help="Who is told over HTTP when a question waits or money runs out.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    command(group, panel="Commands", name="list", examples=["perdure webhooks list"])(list_)
    command(
        group,
        panel="Commands",
        name="test",
        examples=["perdure webhooks test", "perdure webhooks test approvals --kind approval.requested"],
    )(probe)
    command(group, panel="Commands", examples=["perdure webhooks secret > secrets/APPROVALS_HOOK"])(secret)
    app.add_typer(group, name="webhooks", rich_help_panel=PANEL)


async def list_(run: Invocation) -> ExitCode:
    """List the endpoints and notifiers, what is wrong with them, and what waits. Ends with 1 where something is."""
    from bootstrap import open_log, open_office, open_vault
    from cli.connection import places
    from cli.notice_pages import target_lines, targets_page

    where = await places(run.settings)
    async with (
        open_log(run.settings, where.database) as log,
        open_office(run.settings, log, open_vault(run.settings)) as office,
    ):
        lines = target_lines(office.addressees, await office.deliveries.backlog())
    run.output.answer({"targets": lines}, lambda page: targets_page(page, lines))
    return ExitCode.FAILED if any(line["problems"] for line in lines) else ExitCode.OK


async def probe(
    run: Invocation,
    endpoint: Annotated[
        str | None, typer.Argument(metavar="ENDPOINT", help="Its name. Not given: all of them.", show_default=False)
    ] = None,
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="Send what a notice of this kind looks like.")
    ] = "webhook.test",
) -> ExitCode:
    """Send each endpoint a signed notice that is marked as a test, and show what it answers.

    Filters are passed over; nothing is tried again or recorded. Ends with 1 where an endpoint does not take it.
    """
    from bootstrap import open_vault
    from cli.notice_pages import probe_page
    from notices.office import open_addressees

    async with open_addressees(run.settings.webhooks, (), open_vault(run.settings)) as addressees:
        lines = [await _probe(webhook, kind) for webhook in _chosen(addressees, endpoint)]
    run.output.answer({"answers": lines}, lambda page: probe_page(page, lines))
    return ExitCode.OK if all(line["taken"] for line in lines) else ExitCode.FAILED


async def secret(run: Invocation) -> None:
    """Make a secret for an endpoint and its receiver: it is shown once and kept nowhere."""
    from notices.signing import new_secret

    made = new_secret()
    run.output.answer({"secret": made}, lambda page: page.out(made))


def _chosen(addressees: "Addressees", name: str | None) -> "tuple[Webhook, ...]":
    from cli.errors import BadUsage, NotFound

    if not addressees.webhooks:
        raise BadUsage("there is no endpoint", remedy="set PERDURE_WEBHOOKS to a file that names one")
    found = tuple(webhook for webhook in addressees.webhooks if name in (None, webhook.name))
    if not found:
        names = ", ".join(webhook.name for webhook in addressees.webhooks)
        raise NotFound(f"no endpoint is called {name!r}; there are: {names}")
    return found


async def _probe(webhook: "Webhook", kind: str) -> dict[str, Any]:
    from cli.errors import BadUsage
    from notices.samples import UnknownKind, sample
    from notices.target import Refused

    try:
        notice = sample(kind, content=webhook.content, tokens=webhook.tokens)
    except UnknownKind as error:
        raise BadUsage(str(error)) from error
    began = time.monotonic()
    line: dict[str, Any] = {"endpoint": webhook.name, "notice": notice.id, "sent": notice.body.decode()}
    try:
        answer = await webhook.send(notice, READ)
    except Refused as refused:
        return {**line, "taken": False, "status": None, "answer": refused.problem, "body": "", "remedy": "", "ms": None}
    return {
        **line,
        "taken": answer.taken,
        "status": answer.status,
        "answer": answer.told,
        "body": answer.body.decode(errors="replace"),
        "remedy": "" if answer.taken else _remedy(answer.status, answer.location),
        "ms": round((time.monotonic() - began) * 1000),
    }


def _remedy(status: int, location: str | None) -> str:
    """What may be wrong, in the words of somebody who sets this up."""
    match status:
        case 301 | 302 | 303 | 307 | 308:
            return f"redirects are not followed: set url to {location or 'where it leads'}"
        case 400 | 401 | 403:
            return (
                "does it know the same secret, verify the body as it came (not parsed and written again), "
                "and is its clock right?"
            )
        case 404 | 405:
            return "is the path right, and does it take POST?"
        case 411 | 413 | 415:
            return "it must take JSON with a Content-Length"
        case 429:
            return "it wants to be asked less often; in earnest its Retry-After is obeyed"
        case _:
            return "it fails by itself: its own log tells more"
