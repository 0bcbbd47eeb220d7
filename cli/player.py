"""A thread's events played again: at the pace at which they happened, at once, or each when a person wants it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cli.output import Output
from cli.pages import plain, state_page, timeline_row
from cli.story import Story
from cli.typing_in import Lines
from cli.upcoming import upcoming
from cli.views import shown
from eventlog.log import Recorded
from projections.ours import OURS

KEYS = "Enter: the next event · b: one back · a number: to that position · s: the state · q: quit"
_PROMPT = "replay>"


@dataclass(frozen=True, slots=True)
class Tempo:
    """How time passes between two events."""

    speed: float
    """Times as fast as it happened; infinity leaves no pause."""
    longest: float
    """Seconds that a pause takes at most: nobody wants to wait for a person's answer again."""

    def pause(self, before: datetime, after: datetime) -> float:
        """Seconds between two events that happened at these times."""
        return min(max((after - before).total_seconds(), 0.0) / self.speed, self.longest)


async def timed(events: Sequence[Recorded], tempo: Tempo) -> AsyncIterator[Recorded]:
    """The events, each at its time."""
    before = events[0].metadata.at if events else None
    for recorded in events:
        at = recorded.metadata.at
        if before is not None and (pause := tempo.pause(before, at)) > 0:
            await asyncio.sleep(pause)
        before = at
        yield recorded


class Steps:
    """Walks through a thread's events as a person says, forward and back."""

    def __init__(self, output: Output, events: Sequence[Recorded], begin: Callable[[], Story]) -> None:
        self._output = output
        self._events = events
        self._begin = begin
        self._story = begin()
        self._told = 0
        """How many of the events the story knows."""
        self._lines = Lines()

    async def walk(self, start: int) -> None:
        """Show the event at `start`, and then whatever is asked for, until it is enough."""
        self._output.note(KEYS)
        self._go_to(start)
        while (line := await self._typed()) is not None and not self._is_enough(line):
            self._obey(line)

    def _is_enough(self, line: str) -> bool:
        return line in {"q", "quit"} or (line == "" and self._told == len(self._events))

    async def _typed(self) -> str | None:
        notes = self._output.notes
        notes.print(_PROMPT, end=" ", style="dim", highlight=False)
        notes.file.flush()
        return await self._lines.next()

    def _obey(self, line: str) -> None:
        match line:
            case "":
                self._go_to(self._told)
            case "b":
                self._go_to(self._told - 2)
            case "s":
                state_page(self._output.page, shown(OURS["session"], self._story.session))
            case _ if line.isdecimal():
                self._go_to(int(line))
            case _:
                self._output.note(KEYS)

    def _go_to(self, index: int) -> None:
        """Tell the story up to an event, from its beginning where that lies behind, and show the event."""
        index = min(max(index, 0), len(self._events) - 1)
        if index < self._told:
            self._story, self._told = self._begin(), 0
        for recorded in self._events[self._told : index + 1]:
            self._story.take(recorded)
        self._told = index + 1
        at = self._events[index].metadata.at
        self._output.page.print(timeline_row(self._story.lines[-1]), soft_wrap=not self._output.page.is_terminal)
        plain(self._output.page, f"{'':>16}next: {upcoming(self._story.session, at)}", style="dim")
