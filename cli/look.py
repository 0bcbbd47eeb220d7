"""Looking at threads: one, many, or one as it goes on."""

import functools
import operator
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated

import typer

from cli.command import Invocation, command
from cli.errors import BadUsage
from cli.exits import ExitCode
from cli.given import Thread

PANEL = "Threads"
At = Annotated[
    int | None, typer.Option("--at", min=0, metavar="N", help="As it stood at position N.", show_default=False)
]


class Status(StrEnum):
    """Where a thread can stand."""

    running = "running"
    waiting = "waiting"
    paused = "paused"
    completed = "completed"
    failed = "failed"
    terminated = "terminated"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(
        app,
        panel=PANEL,
        examples=[
            "perdure show report-42",
            "perdure show report-42 --at 12",
            "perdure show report-42 --events | jq .type",
        ],
    )(show)
    command(
        app,
        panel=PANEL,
        examples=["perdure view usage report-42", "perdure view session report-42 --at 12 --json | jq .state.status"],
    )(view)
    command(app, panel=PANEL, name="list", examples=["perdure list", "perdure list --status waiting --limit 5"])(list_)
    command(
        app,
        panel=PANEL,
        examples=[
            "perdure watch report-42",
            "perdure watch --type ApprovalRequested --type SessionCompleted",
            "perdure watch --json --after 1042 | jq .thread_id",
        ],
    )(watch)


async def show(
    run: Invocation,
    thread: Thread,
    at: At = None,
    events: Annotated[
        bool, typer.Option("--events", help="The events themselves, as JSON, one a line.", show_default=False)
    ] = False,
) -> None:
    """Show what happened in a thread and where it stands."""
    from dataclasses import asdict

    from cli.answers import event_json
    from cli.given import thread_id
    from cli.pages import thread_page

    async with run.threads() as threads:
        id_ = thread_id(thread)
        if events and not run.output.json:
            async for recorded in threads.events(id_, at):
                run.output.raw(event_json(recorded))
            return
        if events:
            all_ = [event_json(recorded) async for recorded in threads.events(id_, at)]
            run.output.raw({"thread_id": id_, "events": all_})
            return
        reading = await threads.read(id_, at)
        report = reading.report() if at is not None else await threads.judged(reading)
    answer = {**asdict(report), "timeline": [_row(line) for line in reading.lines]} if run.output.json else report
    run.output.answer(answer, lambda page: thread_page(page, report, reading.lines))


def _row(line: object) -> dict[str, object]:
    fields = ("position", "kind", "time", "actor", "text", "duration_ms")
    return dict(zip(fields, operator.attrgetter(*fields)(line), strict=True))


async def view(
    run: Invocation,
    name: Annotated[
        str, typer.Argument(metavar="VIEW", help="One of ours, or of a plugin, by its name.", show_default=False)
    ],
    thread: Thread,
    at: At = None,
) -> None:
    """Fold a thread into a view and print it.

    Ours are session, summary, timeline, tool_calls, transcript and usage; plugins bring others.
    """
    from bootstrap import load_extensions
    from cli.given import thread_id
    from cli.pages import state_page
    from cli.views import shown, view_of
    from projections.fold import Projection

    found = view_of(name, load_extensions(run.settings).of(Projection))
    async with run.threads() as threads:
        id_ = thread_id(thread)
        seen = await threads.view(id_, found, at)
    state = shown(found, seen.state)
    answer = {"view": name, "version": found.version, "thread_id": id_, "position": seen.position, "state": state}
    run.output.answer(answer, lambda page: state_page(page, state))


async def list_(
    run: Invocation,
    status: Annotated[Status | None, typer.Option(help="Only threads that stand so.", show_default=False)] = None,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="Only this tenant's.", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most so many.")] = 20,
) -> None:
    """List threads, newest first."""
    from cli.pages import list_page

    async with run.threads() as threads:
        lines = await threads.list(status=status.value if status else None, tenant=tenant, limit=limit)
    run.output.answer({"threads": lines}, functools.partial(list_page, lines=lines))


async def watch(
    run: Invocation,
    thread: Annotated[
        str | None, typer.Argument(metavar="[THREAD]", help="The thread's id; all threads without.", show_default=False)
    ] = None,
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", "-t", metavar="TYPE", help="Only events of this type; may be said again."),
    ] = None,
    after: Annotated[
        int | None,
        typer.Option(
            "--after",
            min=0,
            metavar="N",
            help="All threads: from this global position on, not from now.",
            show_default=False,
        ),
    ] = None,
) -> ExitCode:
    """Follow a thread live, until it ends or Ctrl-C; or all threads. Where it waits for a person, says how to answer.

    Of all threads, with --json, each event says its `thread_id` and `global_position`: a program that keeps the last of
    these goes on after it with --after, and misses nothing.
    """
    from cli.kinds import kinds

    wanted = kinds(type_ or ())
    if thread is None:
        return await _watch_all(run, wanted, after)
    if after is not None:
        raise BadUsage("--after is for all threads", remedy="leave THREAD or --after out; see also: perdure replay")
    return await _watch_one(run, thread, wanted)


async def _watch_one(run: Invocation, thread: str, wanted: Collection[str]) -> ExitCode:
    from contextlib import aclosing

    from cli.answers import event_json
    from cli.attending import Needs
    from cli.given import thread_id
    from cli.pages import thread_page, timeline_row

    page, needs = run.output.page, Needs()
    async with run.threads() as threads, aclosing(threads.follow(thread_id(thread))) as progress:
        async for each in progress:
            report = each.report
            if run.output.json:
                for told in map(event_json, each.news):
                    if not wanted or told["type"] in wanted:
                        run.output.raw(told)
                continue
            for line in each.lines:
                if not wanted or line.kind in wanted:
                    page.print(timeline_row(line), soft_wrap=not page.is_terminal)
            needs.tell(page, report)
    run.output.answer(report, lambda page: thread_page(page, report, ()))
    return report.exit


async def _watch_all(run: Invocation, wanted: Collection[str], after: int | None) -> ExitCode:
    from contextlib import aclosing

    from bootstrap import open_log
    from cli.answers import event_json
    from cli.connection import places, quiet_logs
    from cli.everything import Tellers, everything, thread_of
    from cli.headlines import Headlines
    from cli.pages import happening_row, plain
    from eventlog.streams import AGENT

    quiet_logs()
    page, tellers = run.output.page, Tellers(Headlines(run.settings))
    unreadable = functools.partial(plain, run.output.notes)  # scripts must not miss it either
    async with open_log(run.settings, (await places(run.settings)).database) as log:
        start = await log.feed.newest(AGENT) if after is None else after
        async with aclosing(everything(log.feed, start, unreadable)) as happenings:
            async for recorded in happenings:
                thread, line = thread_of(recorded.stream), tellers.tell(recorded)
                if wanted and line.kind not in wanted:
                    continue
                if run.output.json:
                    run.output.raw({"thread_id": thread, **event_json(recorded)})
                else:
                    page.print(happening_row(thread, line), soft_wrap=not page.is_terminal)
    raise AssertionError("there is no end to what happens")
