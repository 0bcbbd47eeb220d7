"""Circuits, as one process uses them: who is well is asked for nothing, who is ill is left alone by everybody.

That all is well is looked up once a second at most, and only while there are calls; failures are told at once. What a
process does not know for a second costs a few calls more, never one less.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from eventlog.log import LogError
from resilience.store import Circuit, CircuitTerms, Delay, Store

FRESH = 1.0
"""Seconds for which a look is good."""
LONGEST_LOOK_AWAY = 10.0
"""Seconds after which a waiting call looks again while somebody makes the probe: it may be over soon."""

logger = logging.getLogger(__name__)


class Circuits:
    """All circuits, looked at and told of by this process."""

    def __init__(self, store: Store, terms: CircuitTerms, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._terms = terms
        self._clock = clock
        self._troubled: Mapping[str, Circuit] = {}
        self._looked = float("-inf")
        self._looking = asyncio.Lock()
        self._successes: dict[str, int] = {}
        self._told: dict[str, float] = {}

    async def delay(self, names: Sequence[str], who: str) -> Delay | None:
        """What keeps `who` from asking now; None lets it ask, and make the probe where one is due.

        Who is let through says afterwards what came of it: `succeeded`, `failed` or `left`.
        """
        troubled = [self._troubled[name] for name in names if name in await self._look()]
        if not troubled:
            return None
        if waits := [delay for each in troubled if (delay := self._wait(each))]:
            return max(waits, key=lambda delay: delay.seconds)
        return await self._enter([each.name for each in troubled if each.state != "closed"], who)

    async def succeeded(self, names: Sequence[str], who: str) -> None:
        """They answered."""
        for name in names:
            circuit = self._troubled.get(name)
            if circuit is not None:
                self._successes[name] = self._successes.get(name, 0) + 1
                if circuit.state != "closed" or self._clock() >= self._told.get(name, 0.0) + FRESH:
                    self._told[name] = self._clock()
                    await self._quietly(self._store.succeeded(name, who, self._successes.pop(name)))

    async def failed(self, name: str, who: str, why: str, *, at_once: bool = False) -> None:
        """It failed in a way that means that it is ill."""
        successes = self._successes.pop(name, 0)
        await self._quietly(self._store.failed(name, who, why, self._terms, successes=successes, at_once=at_once))

    async def left(self, names: Sequence[str], who: str) -> None:
        """It was not asked after all, or what came of it does not tell whether it is well."""
        for name in names:
            if name in self._troubled and self._troubled[name].state != "closed":
                await self._quietly(self._store.left(name, who))

    async def slowed(self, name: str, seconds: float) -> None:
        """It has asked everybody to wait."""
        await self._quietly(self._store.slowed(name, seconds))

    async def _look(self) -> Mapping[str, Circuit]:
        async with self._looking:
            if self._clock() >= self._looked + FRESH:
                try:
                    self._troubled = {each.name: each for each in await self._store.troubled()}
                except LogError as error:
                    logger.warning("circuits_unseen", extra={"problem": str(error)})
                self._looked = self._clock()
        return self._troubled

    def _wait(self, circuit: Circuit) -> Delay | None:
        """How long nobody, or nobody else, may ask; as of when it was looked at."""
        seconds = circuit.slow if circuit.state == "closed" else circuit.wait if circuit.state == "open" else 0.0
        left = seconds - (self._clock() - self._looked)
        return Delay(left, circuit.name) if left > 0 else None

    async def _enter(self, names: Sequence[str], who: str) -> Delay | None:
        entered: list[str] = []
        for name in names:
            try:
                seconds = await self._store.enter(name, who, self._terms)
            except LogError as error:
                logger.warning("circuits_unseen", extra={"problem": str(error)})
                continue
            if seconds > 0:
                await self.left(entered, who)
                return Delay(min(seconds, LONGEST_LOOK_AWAY), name)
            entered.append(name)
        return None

    async def _quietly(self, telling: Awaitable[object]) -> None:
        """What cannot be told is no reason to lose what is known; and after it, the next call looks again."""
        try:
            await telling
        except LogError as error:
            logger.warning("circuits_untold", extra={"problem": str(error)})
        self._looked = float("-inf")
