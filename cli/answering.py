"""Answering what a thread asks of a person."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.command import Invocation, command
from cli.errors import BadUsage
from cli.given import Signal, Thread

if TYPE_CHECKING:
    from cli.answers import PendingQuestion

PANEL = "People"


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        panel=PANEL,
        examples=[
            "perdure answer report-42 yes",
            "perdure answer report-42 toolu_01A 'the blue one'",
            "perdure answer report-42 --choice 2",
            """perdure answer report-42 --json-value '{"name": "Ana", "seats": 2}'""",
            "perdure answer report-42 --file figures.csv",
            "perdure answer report-42 --send-back 'too long: one page, please'",
        ],
    )(answer)


async def answer(
    run: Invocation,
    thread: Thread,
    said: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CALL] [VALUE]",
            help="The call's id, or enough of it; may be left out where one question waits. Then what is answered.",
            show_default=False,
        ),
    ] = None,
    *,
    json_value: Annotated[
        str | None,
        typer.Option("--json-value", metavar="JSON", help="Answer with JSON; @FILE reads it.", show_default=False),
    ] = None,
    choice: Annotated[
        list[str] | None,
        typer.Option("--choice", metavar="OPTION", help="An option or its number; repeatable.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Hand in this file.", show_default=False)
    ] = None,
    path: Annotated[
        str | None,
        typer.Option("--path", metavar="PATH", help="Hand in a file of the workers' workspace.", show_default=False),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Of what is reviewed: it is used as it is.", show_default=False)
    ] = False,
    replace: Annotated[
        str | None,
        typer.Option("--replace", metavar="TEXT", help="This is used instead; @FILE reads it.", show_default=False),
    ] = None,
    send_back: Annotated[
        str | None, typer.Option("--send-back", metavar="TEXT", help="It is made anew: why.", show_default=False)
    ] = None,
    comment: Annotated[
        str | None, typer.Option("--comment", metavar="TEXT", help="The model reads it, too.", show_default=False)
    ] = None,
    signal: Signal = False,
) -> None:
    """Answer a question of the model: yes or no, a choice, text or a form, a file, or a word on what is reviewed."""
    values = _values(json_value, choice, file, path, accept=accept, replace=replace, send_back=send_back)
    call, words = _call_and_words(said or [], given=len(values))
    await _send(run, thread, call, words, values, comment, signal=signal)


def _values(
    json_value: str | None,
    choice: list[str] | None,
    file: Path | None,
    path: str | None,
    *,
    accept: bool,
    replace: str | None,
    send_back: str | None,
) -> list[Any]:
    """The answers that options give, each as JSON."""
    from cli.answer_values import file_value
    from cli.answer_values import json_value as parsed
    from cli.given import text_or_file

    values: list[Any] = []
    values += [parsed("--json-value", text_or_file("--json-value", json_value) or "")] if json_value is not None else []
    values += [choice] if choice else []
    values += [file_value(file)] if file is not None else []
    values += [{"path": path}] if path is not None else []
    values += ["accept"] if accept else []
    values += [{"verdict": "replace", "text": text_or_file("--replace", replace)}] if replace is not None else []
    values += [{"verdict": "send_back", "comments": send_back}] if send_back is not None else []
    return values


def _call_and_words(said: list[str], *, given: int) -> tuple[str | None, str | None]:
    """Which question is meant, and the answer in words; one of the two may be said by other means."""
    if given > 1 or len(said) > 2 - given:
        raise BadUsage("several answers are given", remedy="give one: a VALUE, or one of the options")
    if given:
        return (said[0] if said else None), None
    if not said:
        raise BadUsage("there is no answer", remedy="give a VALUE, or one of the options: perdure answer --help")
    return (None, said[0]) if len(said) == 1 else (said[0], said[1])


async def _send(
    run: Invocation,
    thread: str,
    call: str | None,
    words: str | None,
    values: list[Any],
    comment: str | None,
    *,
    signal: bool,
) -> None:
    from cli.answer_values import typed_value
    from cli.given import made, thread_id
    from cli.questions import INPUTS
    from cli.telling import tell
    from projections.requests import Answer

    async with run.threads() as threads:
        id_ = thread_id(thread)
        question = await threads.question(id_, call, INPUTS)
        value = typed_value(question, words) if words is not None else _one_choice(question, values[0])
        asked = {"call_id": question.call_id, "position": question.position}
        request = made(Answer, value=value, comment=comment, by=run.settings.principal, **asked)
        await tell(run, threads, id_, request, signal=signal)


def _one_choice(question: "PendingQuestion", value: Any) -> Any:
    """An option alone where only one may be chosen."""
    several = question.inquiry is not None and question.inquiry["several"]
    return value[0] if isinstance(value, list) and len(value) == 1 and not several else value
