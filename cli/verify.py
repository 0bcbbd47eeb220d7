"""Checking that everything that is kept of a thread tells the same story, and mending what can be mended."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command
from cli.errors import BadUsage
from cli.exits import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from bootstrap import Places
    from cli.verification.requests import Requests
    from cli.verification.verdict import Report, Verdict
    from cli.verification.verifier import Verifier
    from settings import Settings


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(
        app,
        panel="System",
        examples=[
            "perdure verify report-42",
            "perdure verify --all",
            "perdure verify --all --repair",
            "perdure verify --all --json | jq -r '.findings[].thread_id' | sort -u",
        ],
    )(verify)


async def verify(
    run: Invocation,
    thread: Annotated[str | None, typer.Argument(metavar="THREAD", help="The thread's id.", show_default=False)] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every thread there is.", show_default=False)] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Append what is missing, with an event that says so.", show_default=False),
    ] = False,
    log_only: Annotated[
        bool, typer.Option("--log-only", help="Ask Temporal nothing: look at the log alone.", show_default=False)
    ] = False,
) -> ExitCode:
    """Hold Temporal's history, the log and the views of it against each other, and render every request again.

    Where all is well, nothing is printed but a count, on stderr. A stream whose workflow was ended from outside, and
    which therefore has no end, can be repaired; nothing that was written is ever changed.

    What nothing else tells of is not found: changed metadata, or a deleted stream that Temporal has forgotten, too.
    """
    from cli.verification.verdict import Report

    if (thread is None) == (not all_):
        raise BadUsage("say which thread, or --all", remedy="perdure verify THREAD, or perdure verify --all")
    if repair and log_only:
        raise BadUsage(
            "what is missing can be told only with Temporal's help: --repair and --log-only exclude each other"
        )
    async with _verifier(run.settings, log_only=log_only) as verifier:
        report = Report.of([each async for each in _verdicts(run, verifier, thread, repair=repair)])
    _tell(run, report)
    if repair and not report.repaired:
        run.output.note(
            "nothing was repaired: " + ("what was found cannot be" if report.findings else "nothing is missing")
        )
    return ExitCode.OK if report.ok else ExitCode.FAILED


async def _verdicts(
    run: Invocation, verifier: "Verifier", thread: str | None, *, repair: bool
) -> "AsyncIterator[Verdict]":
    from cli.given import thread_id

    mend_as = run.settings.principal if repair else None
    if thread is not None:
        yield await verifier.verify(thread_id(thread), mend_as=mend_as)
        return
    async for each in verifier.threads():
        yield await verifier.verify(each, mend_as=mend_as)


@asynccontextmanager
async def _verifier(settings: "Settings", *, log_only: bool) -> "AsyncIterator[Verifier]":
    """What looks threads over, with all it needs for that."""
    from bootstrap import connect_temporal, load_extensions, open_log
    from cli.connection import places, quiet_logs
    from cli.verification.verifier import Verifier

    quiet_logs()
    where = await places(settings)
    client = None if log_only else await connect_temporal(settings, where.temporal, lazy=True)
    async with open_log(settings, where.database) as log, _requests(settings, where) as requests:
        yield Verifier(log, client, settings.task_queue, requests, load_extensions(settings).events)


@asynccontextmanager
async def _requests(settings: "Settings", where: "Places") -> "AsyncIterator[Requests | None]":
    """What renders requests: a model that is asked nothing, so that any address of one will do."""
    from dataclasses import replace

    from bootstrap import lay_out_tools, open_model
    from cli.verification.requests import Requests
    from llm.errors import ModelRefusesRequest

    try:
        async with open_model(settings, replace(where, model=where.model or "http://127.0.0.1:1")) as model:
            yield Requests(model, lay_out_tools(settings))
    except ModelRefusesRequest:
        yield None


def _tell(run: Invocation, report: "Report") -> None:
    if report.findings or report.repaired or run.output.json:
        run.output.answer(report, functools.partial(_page, report=report))
    unchecked = "".join(f"; unchecked: {what} ({count})" for what, count in report.unchecked.items())
    found = _counted(len(report.findings), "finding") if report.findings else "all is well"
    looked_at = f"{_counted(report.threads, 'thread')}, {_counted(report.events, 'event')}"
    run.output.note(f"{looked_at}: {found}{unchecked}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _page(page: "Console", report: "Report") -> None:
    from cli.visible import one_line

    for repair in report.repaired:
        page.print(f"{repair.thread_id} {repair.position}: {repair.event} was written", style="green", markup=False)
    for each in report.findings:
        place = f"{each.thread_id} at {each.position}" if each.position >= 0 else each.thread_id
        page.print(f"{place}: {each.invariant}", style="red", markup=False, soft_wrap=True)
        mend = " (--repair writes it)" if each.repairable else ""
        page.print(f"    {one_line(each.problem, 400)}{mend}", markup=False, soft_wrap=True)
