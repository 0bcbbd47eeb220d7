"""Beginning a thread and going on with it."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Invocation, command
from cli.errors import BadUsage, NoWorker
from cli.exits import ExitCode
from cli.given import Message, Signal, Thread, Wait

if TYPE_CHECKING:
    from cli.threads import Started, Threads
    from projections.requests import StartSession
    from settings import Settings

PANEL = "Threads"


class AtLimit(StrEnum):
    """What happens at a limit."""

    end = "end"
    ask = "ask"
    degrade = "degrade"


class Mode(StrEnum):
    """How a thread ends."""

    task = "task"
    chat = "chat"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(
        app,
        panel=PANEL,
        examples=[
            'perdure start "Which files here are larger than 1 MB?" --wait',
            'perdure start "Write a report about this folder" --thread report-42 --limit turns=20',
            'perdure start "Hello" --mode chat --idle-timeout 30m',
            'perdure start "Add 2 and 2" --tools calculate --result-schema schema.json --wait --json',
            "git diff | perdure start - --wait",
        ],
    )(start)
    command(
        app,
        panel=PANEL,
        name="continue",
        examples=['perdure continue report-42 "Make it shorter" --wait', "perdure continue report-42 - < notes.md"],
    )(continue_)


async def start(
    run: Invocation,
    message: Message,
    *,
    thread: Annotated[
        str | None,
        typer.Option(
            "--thread",
            metavar="ID",
            help="The thread's id, if you want to choose it: starting twice is starting once.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[Mode, typer.Option(help="A task ends with its answer; a chat waits for more.")] = Mode.task,
    tools: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Only these tools; '' for none. Not given: all the worker has.", show_default=False
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The system prompt; @FILE reads it.", show_default=False)
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="turns, tool_calls, tokens, runtime (seconds), cost (US dollars) or tools.NAME; none lifts it. "
            "Can be repeated.",
            show_default=False,
        ),
    ] = None,
    at_limit: Annotated[
        AtLimit, typer.Option(help="There it ends, or a person is asked for more, or a cheaper model goes on.")
    ] = AtLimit.end,
    degrade_to: Annotated[
        str | None, typer.Option(metavar="NAME", help="The cheaper model.", show_default=False)
    ] = None,
    warn_at: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Parts of the limits that are told of: 0.5,0.8.", show_default=False),
    ] = None,
    raised_by: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Who may raise the limits: names, or patterns of names.", show_default=False),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model to ask.", show_default=False)] = None,
    fallback_models: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Models that stand in while the first cannot be asked; '' for none. "
            "Not given: PERDURE_FALLBACK_MODELS.",
            show_default=False,
        ),
    ] = None,
    result_schema: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A JSON Schema the final answer must fit.", show_default=False),
    ] = None,
    idle_timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="A chat nobody speaks to ends after this: 90s, 15m, 8h.", show_default=False),
    ] = None,
    review: Annotated[
        bool,
        typer.Option("--review", help="A person must accept the final answer before it is used.", show_default=False),
    ] = False,
    approval_timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="A question nobody answers expires after this.", show_default="7d"),
    ] = None,
    approval: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="""How its questions are answered, as in '{"quorum": 2, "approvers": ["ana", "b*"]}'.""",
            show_default=False,
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="NAME", help="On whose behalf the agent acts.", show_default=False)
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Named policies, laid over those that are always in force.", show_default=False
        ),
    ] = None,
    breakpoints: Annotated[
        list[str] | None,
        typer.Option(
            "--break",
            metavar="WHERE",
            help="Stop there, every time: before:step, after:step, before:TOOL, after:TOOL. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    wait: Wait = False,
) -> ExitCode:
    """Begin a thread with a message. Prints its id; with --wait, its answer."""
    from cli.given import at_the_limit, json_file, json_object, limits, names, seconds, text_or_file, thread_id
    from cli.given import message as message_of
    from cli.steering import breakpoint_of
    from eventlog.ids import new_thread_id

    id_ = thread_id(thread) if thread is not None else new_thread_id()
    given: dict[str, object] = {
        "message": message_of(message),
        "mode": mode.value,
        "tools": names(tools),
        "system": text_or_file("--system", system),
        "limits": limits(limit, **at_the_limit(at_limit.value, degrade_to, names(warn_at), names(raised_by))),
        "result_schema": json_file("--result-schema", result_schema),
        "idle_timeout": seconds("--idle-timeout", idle_timeout),
        "review": review or None,
        "approval_timeout": seconds("--approval-timeout", approval_timeout),
        "approval": json_object("--approval", approval),
        "tenant": tenant,
        "policy": names(policy),
        "fallback_models": names(fallback_models),
        "breakpoints": [breakpoint_of(where) for where in breakpoints] if breakpoints else None,
    }
    request = _request(run.settings, model, {name: value for name, value in given.items() if value is not None})
    async with run.threads() as threads:
        started = await threads.start(id_, request)
        return await _started(run, threads, started, wait=wait)


def _request(settings: "Settings", model: str | None, given: dict[str, object]) -> "StartSession":
    from cli.given import made
    from llm.messages import ModelTerms
    from projections.answer import schema_problem
    from projections.requests import StartSession

    if problem := schema_problem(given["result_schema"]) if "result_schema" in given else None:
        raise BadUsage(f"--result-schema: {problem}")
    if model is not None:
        terms = ModelTerms(name=model, max_tokens=settings.max_tokens, thinking_tokens=settings.thinking_tokens)
        given = {**given, "model": terms}
    return made(StartSession, **{"tenant": settings.tenant, "principal": settings.principal, **given})


async def _started(run: Invocation, threads: "Threads", started: "Started", *, wait: bool) -> ExitCode:
    from dataclasses import asdict

    from cli.attending import attend
    from cli.pages import answer_page, started_page

    thread = started.thread_id
    report = await threads.begun(thread)
    if started.existed:
        run.output.note(f"thread {thread} existed already: nothing was started, and the message was not said")
    if report.position < 0 and not report.ended:
        problem = await _not_begun(threads, thread)
        if wait:
            raise problem
        run.output.note(f"{problem.message}: {problem.remedy}")
    if wait and not report.ended:
        report = await attend(run.output, threads, thread)
    page = answer_page if wait or report.ended else started_page
    run.output.answer({**asdict(report), "existed": started.existed}, lambda console: page(console, run.output, report))
    return report.exit if wait or (report.ended and not started.existed) else ExitCode.OK


async def _not_begun(threads: "Threads", thread: str) -> NoWorker:
    """Why nothing is written of a thread that is started: nobody is there to do it, or somebody who cannot."""
    if await threads.workers():
        return NoWorker(
            f"thread {thread} is started, and no worker on task queue {threads.task_queue!r} has written its beginning",
            remedy="look with `perdure doctor` and in the worker's log: it may be unable to write to the database, or "
            "be gone for less than some minutes; the thread begins when a worker can write",
            kind="no_answer",
        )
    return NoWorker(
        f"thread {thread} is started, but no worker has begun it (task queue {threads.task_queue!r})",
        remedy="start one with `perdure worker`: the thread begins when a worker runs",
    )


async def continue_(
    run: Invocation,
    thread: Thread,
    message: Message,
    wait: Wait = False,
    signal: Signal = False,
) -> ExitCode:
    """Say something more to a thread. With --wait, prints what it answers."""
    from cli.attending import attend
    from cli.given import made, thread_id
    from cli.given import message as message_of
    from cli.pages import answer_page, said_page
    from projections.requests import Say

    id_ = thread_id(thread)
    said = made(Say, message=message_of(message), sender=run.settings.principal)
    async with run.threads() as threads:
        before = (await threads.report(id_)).position
        position = await threads.say(id_, said, signal=signal)
        if not wait:
            report = await threads.report(id_)
            run.output.answer(report, lambda page: said_page(page, run.output, report, sent=signal))
            return ExitCode.OK
        report = await attend(run.output, threads, id_, beyond=before + 1 if position is None else position)
    run.output.answer(report, lambda page: answer_page(page, run.output, report))
    return report.exit
