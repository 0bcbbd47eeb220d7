"""How the demo speaks: headed acts and short sentences; a spinner while it waits, where somebody watches."""

import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from rich.text import Text

from cli.output import Output
from cli.visible import visible

INDENT = "    "
WIDEST, NARROWEST = 100, 40
"""Characters of a line of prose; commands, addresses and quotations are not broken."""


class Narrator:
    """Tells people what happens; scripts, which asked for JSON, hear nothing."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self._acts = 0

    def act(self, title: str) -> None:
        """Begin the next act."""
        self._acts += 1
        self._print(Text.assemble("\n", (f"{self._acts} · {title}", "bold")))

    def heading(self, title: str) -> None:
        """Begin a part that is no act."""
        self._print(Text.assemble("\n", (title, "bold")))

    def say(self, text: str, style: str = "", *, after: str = "") -> None:
        """A sentence or two, indented; further lines stand below what comes `after` the indent."""
        width = max(NARROWEST, min(self.output.page.width, WIDEST))
        lines = textwrap.wrap(
            visible(after + text),
            width,
            initial_indent=INDENT,
            subsequent_indent=INDENT + " " * len(after),
            break_long_words=False,
            break_on_hyphens=False,
        )
        self._print(Text("\n".join(lines), style=style))

    def quote(self, text: str, most: int | None = None) -> None:
        """Lines as they are; of more than `most` only the first."""
        lines = text.splitlines()
        left_out = len(lines) - len(lines[:most])
        quoted = [*lines[:most], *([f"… and {left_out} more lines"] if left_out else [])]
        self._print(Text("\n".join(f"{INDENT}│ {visible(line)}" for line in quoted), style="dim"))

    def row(self, name: str, text: str) -> None:
        """A name, and what is to be said of it."""
        self.say(text, after=f"{name:<12}")

    def command(self, command: str) -> None:
        """A command as one would type it."""
        self._print(Text.assemble(INDENT, ("$ ", "dim"), (visible(command), "cyan")))

    @contextmanager
    def waiting(self, what: str) -> Iterator["Stopwatch"]:
        """Say what is waited for, for as long as the block runs."""
        page = self.output.page
        moving = page.is_terminal and not self.output.json
        if not moving:
            self.say(f"{what} …")
        with page.status(Text(visible(what))) if moving else nullcontext():
            yield Stopwatch()

    def _print(self, text: Text) -> None:
        if not self.output.json:
            self.output.page.print(text, soft_wrap=True)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """So far."""
        return time.monotonic() - self._began
