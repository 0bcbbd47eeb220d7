"""What is given on the command line: arguments several commands share, and text that must be parsed."""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cli.errors import BadUsage

if TYPE_CHECKING:
    from pydantic import BaseModel

    from eventlog.streams import ThreadId
    from eventlog.terms import Limits

M = TypeVar("M", bound="BaseModel")

Thread = Annotated[str, typer.Argument(metavar="THREAD", help="The thread's id.", show_default=False)]
Message = Annotated[
    str, typer.Argument(metavar="MESSAGE", help="What to tell the agent; - reads it from stdin.", show_default=False)
]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why.", show_default=False)]
Wait = Annotated[
    bool,
    typer.Option("--wait", "-w", help="Wait until the thread has ended or waits for a person.", show_default=False),
]
Signal = Annotated[
    bool,
    typer.Option(
        "--signal",
        "--no-wait",
        help="Send a signal: it waits where no worker runs, but nobody tells whether it was taken.",
        show_default=False,
    ),
]


def thread_id(text: str) -> "ThreadId":
    """A thread id; raises `BadUsage` that says what is wrong with it."""
    from eventlog.streams import InvalidName
    from eventlog.streams import thread_id as checked

    try:
        return checked(text)
    except InvalidName as error:
        raise BadUsage(str(error)) from error


def message(text: str) -> str:
    """What to say: the argument itself, or all of stdin where it is `-`."""
    try:
        said = _piped_in() if text == "-" else text
    except UnicodeDecodeError as error:
        raise BadUsage(f"what is piped in is no text: {error}") from error
    if not said.strip():
        raise BadUsage("there is no message", remedy="say something, or pipe it in and give - as the message")
    return said


def _piped_in() -> str:
    return sys.stdin.read() if sys.stdin is not None else ""  # a closed stdin is None, whatever its type says


def json_object(option: str, text: str | None) -> dict[str, Any] | None:
    """A JSON object; raises `BadUsage` that says where the mistake is."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadUsage(f"{option} is no JSON: {error}", remedy="put it in single quotes") from error
    if not isinstance(value, dict):
        raise BadUsage(f'{option} must be a JSON object, as in {{"path": "report.md"}}, not {text}')
    return value


def json_file(option: str, file: Path | None) -> dict[str, Any] | None:
    """The JSON object in a file."""
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadUsage(f"{option} {file} cannot be read: {error}") from error
    return json_object(f"{option} {file}", text)


def names(text: str | None) -> tuple[str, ...] | None:
    """Names separated by commas; an empty text is no name at all."""
    if text is None:
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip())


LIMITS = ("turns", "tool_calls", "tokens", "runtime", "cost")
ONE_TOOL = "tools."
"""Before the name of a tool whose calls are limited."""


def limits(given: list[str] | None, **terms: object) -> "Limits":
    """Limits written as `name=value`; `none` lifts one. Raises `BadUsage` that names the limits there are.

    `terms` are the other fields of `Limits`: what happens there.
    """
    from pydantic import ValidationError

    from eventlog.terms import Limits

    values, tools = {}, {}
    for each in given or []:
        name, equals, value = each.rpartition("=")
        if not equals or not (name in LIMITS or name.removeprefix(ONE_TOOL) not in ("", name)):
            names = ", ".join((*LIMITS, f"{ONE_TOOL}NAME"))
            raise BadUsage(f"--limit {each} is no limit", remedy=f"write name=value; names: {names}")
        if name in LIMITS:
            values[name] = None if value.lower() == "none" else value
        else:
            tools[name.removeprefix(ONE_TOOL)] = value
    try:
        return Limits.model_validate({**values, **({"tools": tools} if tools else {}), **terms})
    except ValidationError as error:
        raise BadUsage(f"--limit: {mistakes(error)}") from error


def at_the_limit(
    what: str, degrade_to: str | None, warn_at: tuple[str, ...] | None, raised_by: tuple[str, ...] | None
) -> dict[str, object]:
    """What happens at limits, as far as something was said of it; raises `BadUsage`."""
    if (what == "degrade") != (degrade_to is not None):
        raise BadUsage("--at-limit degrade and --degrade-to MODEL belong together")
    given = {"at_limit": what, "degrade_to": degrade_to, "warn_at": warn_at, "raised_by": raised_by}
    return {name: value for name, value in given.items() if value}


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(option: str, text: str | None) -> float | None:
    """A duration: seconds, or a number with s, m, h or d behind it."""
    if text is None:
        return None
    unit = _UNITS.get(text[-1:].lower())
    try:
        value = float(text[:-1] if unit else text) * (unit or 1.0)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise BadUsage(f"{option} {text} is no duration", remedy="write seconds, or 90s, 15m, 8h, 7d")
    return value


def made(kind: "type[M]", **fields: object) -> "M":
    """A request of these fields; raises `BadUsage` that lists what is wrong with them."""
    from pydantic import ValidationError

    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise BadUsage(f"this cannot be asked: {mistakes(error)}") from error


def mistakes(error: Any) -> str:
    """What pydantic found wrong, in a line."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'input'}: {_plain(each['msg'])}" for each in error.errors())


def _plain(told: str) -> str:
    return told.removeprefix("Value error, ")


def text_or_file(option: str, text: str | None) -> str | None:
    """The text itself, or what stands in the file where it is written `@FILE`."""
    if text is None or not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadUsage(f"{option} {text} cannot be read: {error}") from error
