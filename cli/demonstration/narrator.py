"""How the demo speaks: headed acts and short sentences; a spinner while it waits, where somebody watches."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from rich.text import Text

from cli.output import Output
from cli.visible import visible

INDENT = "    "


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

    def say(self, text: str, style: str = "") -> None:
        """A sentence, or several lines."""
        lines = visible(text).split("\n")
        self._print(Text("\n".join(f"{INDENT}{line}" for line in lines), style=style))

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
