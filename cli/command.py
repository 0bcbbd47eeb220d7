"""How a function becomes a command: its examples, `--json` and `--config`, its errors and its exit code.

A command is an async function whose first parameter is the `Invocation`; the others are its arguments, as Typer
reads them. Modules of commands import at the top only what is quick to import: Temporal, pydantic and psycopg take
most of a second together, and `perdure --help` needs none of them.
"""

import functools
import inspect
import os
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer

from cli.errors import BadUsage, ClientError
from cli.exits import ExitCode
from cli.output import Output

if TYPE_CHECKING:
    from cli.threads import Threads
    from settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Answer with JSON on stdout, errors included.", show_default=False)]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="A TOML file with settings.", show_default=False),
]
DEBUG = "PERDURE_DEBUG"


@dataclass(frozen=True, slots=True)
class Globals:
    """What was said before the command's name."""

    config: Path | None = None
    json: bool = False


@dataclass(frozen=True)
class Invocation:
    """What a command is told besides its own arguments."""

    config: Path | None
    output: Output

    @cached_property
    def settings(self) -> "Settings":
        """All settings; `BadUsage` lists what is wrong with them."""
        from settings import InvalidSettings, Settings

        try:
            return Settings.load(self.config)
        except InvalidSettings as error:
            raise BadUsage(
                str(error), kind="settings", remedy="set them in the environment, in .env or with --config FILE"
            ) from error

    @asynccontextmanager
    async def threads(self) -> AsyncIterator["Threads"]:
        """The programmatic client, connected for as long as the block runs."""
        from cli.connection import connected

        async with connected(self.settings) as threads:
            yield threads


Body = TypeVar("Body", bound=Callable[..., Awaitable[ExitCode | None]])


def command(
    app: typer.Typer, *, examples: Sequence[str], panel: str, name: str | None = None
) -> Callable[[Body], Body]:
    """Make a function a command of `app`, and leave the function as it is."""

    def register(body: Body) -> Body:
        app.command(
            name or body.__name__,
            help=inspect.getdoc(body),
            epilog=shown(examples),
            rich_help_panel=panel,
            no_args_is_help=False,
        )(_entry(body))
        return body

    return register


def shown(examples: Sequence[str]) -> str:
    """Examples as the help shows them: one a line, none of their brackets taken for markup."""
    lines = [f"  [dim]$[/dim] {example.replace('[', chr(92) + '[')}" for example in examples]
    return "\n".join(["[bold]Examples[/bold]", *lines])


def _entry(body: Callable[..., Awaitable[ExitCode | None]]) -> Callable[..., None]:
    """The function Typer calls: with the arguments of `body`, and ours."""

    @functools.wraps(body)
    def entry(context: typer.Context, *, json: bool, config: Path | None, **arguments: Any) -> None:
        said = context.obj if isinstance(context.obj, Globals) else Globals()
        invocation = Invocation(config or said.config, Output(as_json=json or said.json))
        raise typer.Exit(run(invocation, lambda: body(invocation, **arguments)))

    own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
    ours = [
        inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, annotation=Json, default=False),
        inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, annotation=Config, default=None),
    ]
    keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    signature = inspect.Signature([ours[0], *keyword_only, *ours[1:]])
    entry.__signature__ = signature  # type: ignore[attr-defined]
    entry.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
    del entry.__wrapped__
    return entry


def run(invocation: Invocation, body: Callable[[], Awaitable[ExitCode | None]]) -> ExitCode:
    """Run a command to its exit code; whatever it raises is told in the form that was asked for."""
    import asyncio

    async def main() -> ExitCode | None:
        return await body()

    try:
        _hush_libraries()
        return asyncio.run(main()) or ExitCode.OK
    except ClientError as error:
        invocation.output.problem(error)
        return error.exit
    except (KeyboardInterrupt, asyncio.CancelledError):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has seen enough: no news for anybody.
        sys.stdout = open_nowhere()
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the top level of a process: a user is told, not shown a traceback
        return _unexpected(invocation, error)


def open_nowhere() -> TextIO:
    """A stream that takes everything and keeps nothing."""
    return Path(os.devnull).open("w", encoding="utf-8")


def _hush_libraries() -> None:
    """What libraries log while a server is away is no news: the command itself says so, once and in words."""
    import logging

    if DEBUG not in os.environ:
        logging.getLogger().addHandler(logging.NullHandler())


def _unexpected(invocation: Invocation, error: Exception) -> ExitCode:
    if DEBUG in os.environ:
        traceback.print_exception(error, file=sys.stderr)
    known = _known(error)
    if known is not None:
        invocation.output.problem(known)
        return known.exit
    log = _write_down(invocation, error)
    words = f"{type(error).__name__}: {error}"
    invocation.output.problem(
        ClientError(
            f"something unexpected happened: {words}",
            kind="defect",
            remedy=f"{f'the traceback is in {log}; ' if log else ''}set {DEBUG}=1 to see it here",
        )
    )
    return ExitCode.DEFECT


def _known(error: Exception) -> ClientError | None:
    """Errors that other packages raise with words meant for people."""
    from cli.translation import translated

    return translated(error)


def _write_down(invocation: Invocation, error: Exception) -> Path | None:
    """Keep the traceback where it can be asked for."""
    try:
        folder = invocation.settings.home / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "client.log"
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(error, file=file)
    except (OSError, BadUsage):
        return None
    return log
