"""The `perdure` command: the groups of commands in `cli/`, put together and brought to an end."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, TextIO

import typer

from cli import (
    answering,
    breakers,
    budgets,
    dead_letters,
    demo,
    inbox,
    look,
    people,
    policy,
    prompt,
    raising,
    replay,
    schema,
    service,
    start,
    steering,
    transfer,
    usage,
    verify,
    webhooks,
)
from cli.command import Config, Globals, Json, open_nowhere, shown
from cli.errors import BadUsage
from cli.exits import ExitCode
from cli.output import Output

GROUPS = (
    service,
    start,
    look,
    replay,
    inbox,
    people,
    answering,
    steering,
    usage,
    budgets,
    raising,
    policy,
    breakers,
    webhooks,
    dead_letters,
    prompt,
    demo,
    verify,
    transfer,
    schema,
)
"""Each adds its commands with `register(app)`, in the order of the help."""


def build() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(
        name="perdure",
        help="LLM agents that outlive their processes: Temporal decides when, Message DB remembers what.",
        epilog=_epilog(),
        rich_markup_mode="rich",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_globals)
    for group in GROUPS:
        group.register(app)
    return app


def _show_version(context: typer.Context, asked: bool) -> None:
    if asked:
        version = _version()
        output = Output(as_json=context.obj.json)  # this option is read before all others, `--json` among them
        output.answer({"version": version}, lambda page: page.print(f"perdure {version}", highlight=False))
        raise typer.Exit


def _globals(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback has answered
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    context.obj = Globals(config, json)


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("perdure")
    except metadata.PackageNotFoundError:
        import tomllib

        project = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text(encoding="utf-8"))
        return str(project["project"]["version"])


def _epilog() -> str:
    examples = (
        "perdure up                                        # in one terminal",
        'perdure start "What is in this folder?" --wait    # in another',
        "perdure list",
    )
    codes = [f"{code.value:>5}  {code.meaning}" for code in ExitCode]
    return "\n".join([shown(examples), "", "[bold]Exit codes[/bold]", *codes])


def run(arguments: Sequence[str]) -> int:
    """Run one command line to its exit code."""
    try:
        known = Globals(json="--json" in arguments)
        code = build()(args=list(arguments), prog_name="perdure", standalone_mode=False, obj=known)
    except typer.TyperException as error:
        return _misused(arguments, error)
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except SystemExit as error:  # Typer's own way out where a pipe closes while it prints help
        code = error.code
    return code if isinstance(code, int) else ExitCode.OK


def _misused(arguments: Sequence[str], error: typer.TyperException) -> ExitCode:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return ExitCode.OK if not arguments else ExitCode.USAGE
    command = context.command_path if context else "perdure"
    message = error.format_message().replace("Value error, ", "")  # pydantic's words, which help nobody
    Output(as_json="--json" in arguments).problem(BadUsage(message, remedy=f"try: {command} --help"))
    return ExitCode.USAGE


def _printable(stream: TextIO | None) -> TextIO:
    """A stream that takes every character; one that was closed before we began takes them all and keeps none."""
    if stream is None:
        return open_nowhere()
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def main() -> None:
    """The console script.

    Leaves by `os._exit`: an interpreter that tears down temporalio's runtime thread in the ordinary way may abort or
    crash (seen with 1.35 in about one of six short-lived processes), and the exit code would be random.
    """
    sys.stdout, sys.stderr = _printable(sys.stdout), _printable(sys.stderr)
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
