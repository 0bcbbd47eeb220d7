"""Whether a call may be made now: circuits first, then limits. What must be waited for long is waited for in Temporal.

A wait of a moment is made in place, so that a call that comes a little early costs no activity more. A longer one is
handed back as a `Rest`: the process sets a timer, and no worker holds anything meanwhile.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from activities.steps import Rest
from llm.errors import ModelError, ModelUnavailable
from llm.messages import ModelReply, TokenUsage
from resilience.circuits import Circuits
from resilience.illness import means_health, means_illness, of_provider
from resilience.limits import NO_LIMITS, LimitsFile, Subject, corrections, passes
from resilience.store import Delay, Store

IN_PLACE = 2.0
"""Seconds that a call may wait within its activity."""
LONGEST_REST = 60.0
"""Seconds after which it is looked at again, however long the wait is to be: somebody may have seen to it."""
PATIENCE = 1.0
"""Seconds by which a call may be late and still hold its place against others."""
SCATTER = 1.0
"""Seconds over which calls that wait for the same moment are scattered."""
LONGEST_SLOW = 600.0
"""Seconds that a provider may make everybody wait at most."""


@dataclass(frozen=True, slots=True)
class Instead:
    """Another model may be asked, and why not the one that was to be."""

    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Permit:
    """The call may be made. Whoever has it says what came of it."""

    subject: Subject
    circuits: tuple[str, ...] = ()

    @property
    def who(self) -> str:
        """Who makes the call, and with it perhaps the probe of a circuit."""
        return self.subject.thread


class Admission:
    """Lets calls through, or tells them how long to wait. Without a store, everything may go."""

    def __init__(self, store: Store | None = None, terms: LimitsFile = NO_LIMITS, provider: str = "model") -> None:
        self._store = store
        self._limits = terms.limits
        self._circuits = Circuits(store, terms.circuits.terms()) if store is not None else None
        self._provider = provider

    async def model(self, models: Sequence[str], now: str, subject: Subject, ticket: str) -> Permit | Rest | Instead:
        """Which of the models may be asked, in the order in which they are wanted; `now` is the one asked so far.

        Of a model that is not `now` only that it might be asked is said; then it is asked for again.
        """
        if self._circuits is None or self._store is None:
            return Permit(subject)
        delays: list[Delay] = []
        for model in models:
            names = self._names(model)
            delay = await self._circuits.delay(names, subject.thread)
            if delay is None and model != now:
                return Instead(model, f"{delays[0].what} is away" if delays else f"{self._names(model)[-1]} is back")
            if delay is None:
                return await self._through(subject, ticket, names)
            delays.append(delay)
        shortest = min(delays, key=lambda delay: delay.seconds)
        return _rest(shortest, random.uniform(0, SCATTER))  # noqa: S311 - nobody gains by guessing it

    async def tool(self, subject: Subject, ticket: str) -> Rest | None:
        """What keeps the tool from being run now."""
        permit = await self._through(subject, ticket, ())
        return permit if isinstance(permit, Rest) else None

    async def came(self, permit: Permit, answer: ModelReply | ModelError) -> None:
        """Say what came of a model call."""
        if isinstance(answer, ModelReply):
            await self._settle(permit, _counted(answer.usage))
            if self._circuits is not None:
                await self._circuits.succeeded(permit.circuits, permit.who)
            return
        await self._settle(permit, 0)
        if self._circuits is not None and permit.circuits:
            await self._failed(self._circuits, permit, answer)

    async def unused(self, permit: Permit) -> None:
        """The call was not made after all."""
        await self._settle(permit, 0)
        if self._circuits is not None:
            await self._circuits.left(permit.circuits, permit.who)

    async def given_up(self, permit: Permit, why: str) -> None:
        """The model was asked as often as one step may ask, in vain: nobody else need try so often."""
        if self._circuits is not None and permit.circuits:
            await self._circuits.failed(permit.circuits[-1], permit.who, why, at_once=True)

    async def _failed(self, circuits: Circuits, permit: Permit, error: ModelError) -> None:
        whole, model = permit.circuits
        if isinstance(error, ModelUnavailable) and error.kind == "rate_limited" and error.retry_after:
            await circuits.slowed(model, min(error.retry_after, LONGEST_SLOW))
        if means_illness(error):
            ill = whole if of_provider(error) else model
            await circuits.failed(ill, permit.who, f"{error.kind}: {error.message}")
            await circuits.left([name for name in permit.circuits if name != ill], permit.who)
        elif means_health(error):
            await circuits.succeeded(permit.circuits, permit.who)
        else:
            await circuits.left(permit.circuits, permit.who)

    async def _through(self, subject: Subject, ticket: str, circuits: Sequence[str]) -> Permit | Rest:
        """Pass all gates, waiting in place where that is short."""
        asked, waited = passes(self._limits, subject), 0.0
        while asked and self._store is not None:
            delay = await self._store.pass_(asked, ticket, PATIENCE)
            if delay is None:
                break
            if waited + delay.seconds > IN_PLACE:
                if self._circuits is not None:
                    await self._circuits.left(circuits, subject.thread)
                return _rest(delay)
            await asyncio.sleep(delay.seconds)
            waited += delay.seconds
        return Permit(subject, tuple(circuits))

    async def _settle(self, permit: Permit, tokens: int) -> None:
        owed = corrections(self._limits, permit.subject, tokens)
        if owed and self._store is not None:
            await self._store.settle(owed)

    def _names(self, model: str) -> tuple[str, str]:
        return self._provider, f"{self._provider}/{model}"


def _counted(usage: TokenUsage) -> int:
    """Tokens that providers count: what they read from their cache costs them little."""
    return usage.input_tokens + usage.cache_write_tokens + usage.output_tokens


def _rest(delay: Delay, scatter: float = 0.0) -> Rest:
    return Rest(seconds=round(min(delay.seconds, LONGEST_REST) + scatter, 3), what=delay.what)
