"""What a command prints: an answer on stdout, everything else on stderr; under `--json` one JSON object a line."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from cli.errors import ClientError

if TYPE_CHECKING:
    from rich.console import Console

Render = Callable[["Console"], None]


def as_json(answer: object) -> str:
    """One line of JSON; keys stay in the order in which `answers.py` documents them."""
    utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    write = partial(json.dumps, ensure_ascii=not utf8, default=_jsonable)
    plain = _plain(answer)
    try:
        return write(plain, allow_nan=False)
    except ValueError:  # infinity and its kin, which JSON cannot say: as text
        return write(json.loads(write(plain), parse_constant=str))


def _plain(answer: object) -> object:
    return asdict(answer) if is_dataclass(answer) and not isinstance(answer, type) else answer


def _jsonable(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


class Output:
    """Where one command's words go."""

    def __init__(self, *, as_json: bool) -> None:
        self.json = as_json

    @cached_property
    def page(self) -> "Console":
        """Stdout, for people. Coloured only on a terminal; rich obeys NO_COLOR by itself."""
        return _console(stderr=False)

    @cached_property
    def notes(self) -> "Console":
        """Stderr: progress, hints and errors."""
        return _console(stderr=True)

    @property
    def live(self) -> bool:
        """Whether somebody watches, so that progress makes sense and waiting for a person may help."""
        return not self.json and sys.stderr.isatty()

    def answer(self, answer: object, render: Render) -> None:
        """Print the command's answer: as JSON, or as `render` draws it."""
        if self.json:
            print(as_json(answer), flush=True)
        else:
            render(self.page)

    def raw(self, record: object) -> None:
        """One record as a line of JSON, whether or not `--json` was said."""
        print(as_json(record), flush=True)

    def note(self, text: str) -> None:
        """A hint for people, which scripts never see."""
        if not self.json:
            self.notes.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)

    def problem(self, error: ClientError) -> None:
        """Say what went wrong and what to do about it."""
        if self.json:
            self._problem_as_json(error)
            return
        self.notes.print(f"error: {error.message}", style="red", markup=False, highlight=False, soft_wrap=True)
        if error.remedy:
            self.notes.print(error.remedy, markup=False, highlight=False, soft_wrap=True)

    def _problem_as_json(self, error: ClientError) -> None:
        line = as_json({"error": problem_json(error)})
        try:
            print(line, flush=True)
        except OSError:  # stdout itself may be the problem
            print(line, file=sys.stderr, flush=True)


def problem_json(error: ClientError) -> dict[str, str | None]:
    """The object every failed command prints under `--json`."""
    return {"kind": error.kind, "message": error.message, "remedy": error.remedy}


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    class Page(Console):
        """A console whose reader may leave early."""

        def on_broken_pipe(self) -> None:
            self.quiet = True
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else 120
    return Page(stderr=stderr, emoji=False, width=width)
