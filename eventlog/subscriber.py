"""Functions of plugins that follow the log: each is called with every event of the types it wants, in order.

    @subscriber(types=("SessionCompleted", InvoicePaid))
    async def keep_books(recorded: Recorded) -> None:
        \"\"\"Tell the books what was paid.\"\"\"
        await books.post(str(recorded.id), recorded.event)

Its place in the log is kept in the database under its name, and of all workers one at a time calls it. Where a worker
dies it may be called again with an event it has dealt with: `recorded.id` tells. What it raises is tried again, while
the events after it wait; in the end the event becomes a dead letter, and it goes on with the next.
"""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeAlias, overload
from uuid import UUID

from eventlog.consumer import Consumer, Pace
from eventlog.custom import NAME as CUSTOM
from eventlog.custom import CustomEvent
from eventlog.encoding import KNOWN
from eventlog.facts import Event
from eventlog.feed import Statement
from eventlog.log import Recorded

Take: TypeAlias = Callable[[Recorded], Awaitable[None]]
Kind: TypeAlias = str | type[Event] | type[CustomEvent]
"""A type of events: its name, or its class."""
BEFORE: Final = "plugin:"
"""A subscriber's place is kept under a name that begins so: none of ours does."""
LONGEST_PAUSE = 30.0
"""Seconds between two tries of one event."""
_NAME = re.compile(rf"{BEFORE}[A-Za-z_][A-Za-z0-9_]{{0,63}}")


class InvalidSubscriber(TypeError):
    """A subscriber is defined wrongly: its author corrects it."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A function, and what it wants of the log."""

    called: ClassVar[str] = "a subscriber"
    """What it is, in words."""
    name: str
    function: Take
    types: frozenset[str]
    """Names; none is all."""
    from_now: bool = False
    """Whether it begins with what comes after its first start, instead of with the log's first event."""
    timeout: float = 30.0
    """Seconds for one event."""
    attempts: int = 5
    """How often an event is tried before it is set aside."""
    _done: set[UUID] = field(default_factory=set)
    """What it has dealt with since its place was moved last."""

    @property
    def consumer(self) -> Consumer:
        """It, as a consumer of the log."""
        return Consumer(self.name, self._take_all, types=self.types or None, from_now=self.from_now)

    @property
    def pace(self) -> Pace:
        """How patient it is."""
        return Pace(tries=tuple(min(2.0**number, LONGEST_PAUSE) for number in range(self.attempts - 1)))

    async def _take_all(self, events: Sequence[Recorded]) -> Sequence[Statement]:
        """One after another; those before one that fails are not given again when that is tried again."""
        for recorded in events:
            if recorded.id not in self._done:
                async with asyncio.timeout(self.timeout):
                    await self.function(recorded)
                self._done.add(recorded.id)
        self._done.clear()
        return ()


@overload
def subscriber(function: Take, /) -> Subscriber: ...
@overload
def subscriber(
    *, types: Kind | tuple[Kind, ...] = (), from_now: bool = False, timeout: float = 30.0, attempts: int = 5
) -> Callable[[Take], Subscriber]: ...
def subscriber(
    function: Take | None = None,
    /,
    *,
    types: Kind | tuple[Kind, ...] = (),
    from_now: bool = False,
    timeout: float = 30.0,
    attempts: int = 5,
) -> Subscriber | Callable[[Take], Subscriber]:
    """Make an async function a subscriber: of these types, with so many seconds and attempts for each event.

    Raises `InvalidSubscriber` that says what is wrong.
    """

    def make(function: Take) -> Subscriber:
        wanted = frozenset(map(_type_of, types if isinstance(types, tuple) else (types,)))
        made = Subscriber(
            BEFORE + str(getattr(function, "__name__", "")), function, wanted, from_now, timeout, attempts
        )
        problem = _problem(made)
        if problem is not None:
            raise InvalidSubscriber(f"{made.name}: {problem}")
        return made

    return make if function is None else make(function)


def _type_of(kind: Kind) -> str:
    if isinstance(kind, str):
        return kind
    return kind.type_name() if issubclass(kind, CustomEvent) else kind.__name__


def _problem(made: Subscriber) -> str | None:
    if not inspect.iscoroutinefunction(made.function):
        return "write `async def`: a subscriber is an async function of one recorded event"
    if not _NAME.fullmatch(made.name):
        return "its name must be 1 to 64 letters, digits and _"
    unknown = sorted(each for each in made.types if each not in KNOWN and not CUSTOM.fullmatch(each))
    if unknown:
        return f"there are no events of the type {unknown[0]!r}: docs/events.md lists them"
    if made.timeout <= 0 or made.attempts < 1:
        return "timeout is more than 0 seconds, attempts is 1 or more"
    return None
