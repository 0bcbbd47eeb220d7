"""Consumers: programs that follow the log and make something of every event, each event in its turn.

A consumer has a name, and its place in the log is kept under it in the database. Many processes may run it; one at a
time reads, and holds the place for a few seconds ahead, so that another goes on soon after it has died. What the
consumer writes into the database is carried out together with the step of its place: once, whatever happens. What it
does elsewhere is done before that step, and is done again where a process dies in between: there, use the event's id
to tell a repetition.

An event that cannot be dealt with, however often it is tried, is set aside, and the consumer goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias
from uuid import uuid4

import structlog

from eventlog.encoding import Row, decode
from eventlog.feed import Feed, Hold, HoldLost, Statement
from eventlog.log import LogMisconfigured, LogUnavailable, Recorded
from eventlog.streams import AGENT, Category

Handle: TypeAlias = Callable[[Sequence[Recorded]], Awaitable[Sequence[Statement]]]
"""Deals with events, in order, and tells what is to be written with the step of the place. It may be called again with
the same events, and with fewer at a time. What it raises is tried again and then held against the event, but for
`LogUnavailable`, which is waited out."""

TABLES = "our tables may be missing: `perdure up` brings them to its database, `python -m stack.provision` to yours"

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who follows the log, and what they want of it."""

    name: str
    """What its place is kept under, for ever."""
    handle: Handle
    category: Category = AGENT
    types: Collection[str] | None = None
    """The events it is given, by name; None is all."""
    from_now: bool = False
    """Whether it begins with what comes after its first start, instead of with the first event."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at once, and how soon, in seconds."""

    batch: int = 100
    """Events read at a time."""
    poll: float = 0.5
    """Until it is looked again, where there was nothing new."""
    hold: float = 6.0
    """After so long another process takes over from one that died."""
    tries: tuple[float, ...] = (0.1, 0.5)
    """Pauses before each further try of an event that could not be dealt with."""
    wait: float = 2.0
    """Before it is tried again where the database is away."""
    wait_for_repair: float = 30.0
    """The same where it lacks our tables."""


@dataclass(frozen=True, slots=True)
class Spoilt:
    """An event that a consumer could not deal with."""

    consumer: str
    row: Row
    """As it stands in the database: it may be no event at all."""
    problem: str
    tries: int


SetAside: TypeAlias = Callable[[Spoilt], Awaitable[Sequence[Statement]]]
"""Keeps what could not be dealt with; what it returns is written with the step over the event. It may be called again
with the same one, and where it raises, nothing is stepped over."""


async def only_tell(spoilt: Spoilt) -> Sequence[Statement]:
    """Set aside by a line in the process's log."""
    row = spoilt.row
    logger.error(
        "event_set_aside", consumer=spoilt.consumer, stream=row.stream, position=row.position, problem=spoilt.problem
    )
    return ()


class Follower:
    """One consumer in one process."""

    def __init__(
        self, feed: Feed, consumer: Consumer, set_aside: SetAside = only_tell, pace: Pace | None = None
    ) -> None:
        self._feed = feed
        self._consumer = consumer
        self._set_aside = set_aside
        self._pace = pace or Pace()
        self._holder = uuid4()
        self._position = 0
        """Up to here this process knows that events were dealt with."""

    async def follow(self) -> None:
        """Follow the log until cancelled, whenever no other process does."""
        while True:
            pause = self._pace.poll
            try:
                await self._while_held(for_ever=True)
            except LogMisconfigured as problem:
                logger.warning("consumer_waits", consumer=self._consumer.name, problem=str(problem), remedy=TABLES)
                pause = self._pace.wait_for_repair
            except LogUnavailable as problem:
                logger.warning("consumer_waits", consumer=self._consumer.name, problem=str(problem))
                pause = self._pace.wait
            except HoldLost as lost:
                logger.info("consumer_hold_lost", consumer=self._consumer.name, problem=str(lost))
            except Exception:  # what set an event aside failed: nothing may be stepped over
                logger.exception("consumer_failed", consumer=self._consumer.name)
                pause = self._pace.wait
            await asyncio.sleep(pause)

    async def catch_up(self) -> bool:
        """Go on to the newest event; whether it could: not where another process has the consumer in its hands.

        Raises `LogUnavailable` and `HoldLost`.
        """
        return await self._while_held(for_ever=False)

    async def _while_held(self, *, for_ever: bool) -> bool:
        hold = await self._take()
        if hold is None:
            return False
        work = asyncio.create_task(self._go_on(hold, for_ever=for_ever))
        keep = asyncio.create_task(self._keep())
        try:
            done, _ = await asyncio.wait({work, keep}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (work, keep):
                task.cancel()
            await asyncio.gather(work, keep, return_exceptions=True)
            await self._release(hold)
        return True

    async def _release(self, hold: Hold) -> None:
        """Let others go on at once; who cannot say so is waited for until the hold has run out."""
        with suppress(LogUnavailable, TimeoutError):
            async with asyncio.timeout(self._pace.hold / 6):
                await self._feed.release(hold)

    async def _take(self) -> Hold | None:
        wanted = self._consumer
        return await self._feed.take(
            wanted.name, self._holder, self._pace.hold, wanted.category, from_now=wanted.from_now
        )

    async def _keep(self) -> None:
        """Hold on to the place; ends, and with it the work, where that fails for as long as the hold lasts."""
        clock, hold = asyncio.get_running_loop().time, self._pace.hold
        until = clock() + hold
        while clock() < until:
            await asyncio.sleep(hold / 3)
            began, position = clock(), self._position
            with suppress(LogUnavailable, TimeoutError):
                async with asyncio.timeout_at(until):
                    taken = await self._take()
                if taken is None or taken.position < position:
                    break
                until = began + hold
        raise HoldLost(f"{self._consumer.name!r} was taken from this process, or rewound")

    async def _go_on(self, hold: Hold, *, for_ever: bool) -> None:
        while True:
            self._position = hold.position
            rows = await self._feed.rows(self._consumer.category, hold.position + 1, self._pace.batch)
            if rows:
                hold = await self._deal_with(hold, rows)
            if len(rows) < self._pace.batch:
                if not for_ever:
                    return
                await asyncio.sleep(self._pace.poll)

    async def _deal_with(self, hold: Hold, rows: Sequence[Row]) -> Hold:
        """All at once; or, where that fails, each for itself, so that one does not spoil the others."""
        try:
            return await self._step(hold, rows)
        except (LogUnavailable, HoldLost):
            raise
        except Exception as problem:  # noqa: BLE001 - whatever a consumer may raise
            logger.info("consumer_goes_one_by_one", consumer=self._consumer.name, problem=repr(problem))
        for row in rows:
            hold = await self._patiently(hold, row)
        return hold

    async def _patiently(self, hold: Hold, row: Row) -> Hold:
        problem = ""
        for pause in (0.0, *self._pace.tries):
            await asyncio.sleep(pause)
            try:
                return await self._step(hold, [row])
            except (LogUnavailable, HoldLost):
                raise
            except Exception as raised:  # noqa: BLE001 - whatever a consumer may raise
                problem = f"{type(raised).__name__}: {raised}"
        spoilt = Spoilt(self._consumer.name, row, problem, tries=1 + len(self._pace.tries))
        return await self._feed.advance(hold, row.global_position, await self._set_aside(spoilt))

    async def _step(self, hold: Hold, rows: Sequence[Row]) -> Hold:
        events = [decode(row) for row in await self._feed.whole(self._wanted(rows))]
        statements = await self._consumer.handle(events) if events else ()
        return await self._feed.advance(hold, rows[-1].global_position, statements)

    def _wanted(self, rows: Sequence[Row]) -> Sequence[Row]:
        types = self._consumer.types
        return rows if types is None else [row for row in rows if row.type in types]


@asynccontextmanager
async def following(*followers: Follower) -> AsyncIterator[None]:
    """All of these follow the log for the block's duration."""
    tasks = [asyncio.create_task(follower.follow()) for follower in followers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
