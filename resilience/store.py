"""What all workers know of circuits and gates together. `resilience/postgres.py` is the adapter."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

CircuitState = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Circuit:
    """Whether a provider, or one of its models, is well enough to be asked."""

    name: str
    """`anthropic`, or `anthropic/claude-…` for one model."""
    state: CircuitState
    why: str
    """What brought it into this state; empty for one that was never anything but closed."""
    since: datetime
    failures: int
    """In the last window."""
    successes: int
    """In the same, so far as they were reported: nobody reports them while all is well."""
    wait: float
    """Seconds until it may be asked again; 0 where that is now."""
    slow: float
    """Seconds for which the provider has asked everybody to wait; 0 for none."""


@dataclass(frozen=True, slots=True)
class Change:
    """A circuit changed its state."""

    name: str
    at: datetime
    before: CircuitState
    after: CircuitState
    why: str


@dataclass(frozen=True, slots=True)
class CircuitTerms:
    """When a circuit opens, and for how long. Times are in seconds."""

    failures: int = 5
    """So many failures in the window open it,"""
    ratio: float = 0.5
    """where they are at least this share of the calls that are known of."""
    window: float = 60.0
    open: float = 15.0
    """How long nobody asks; twice as long each time a probe fails,"""
    longest: float = 300.0
    """but no longer than this."""
    probe: float = 60.0
    """How long one probe is waited for before another may be made."""


USUAL = CircuitTerms()


@dataclass(frozen=True, slots=True)
class Pass:
    """What a call asks of one gate."""

    gate: str
    burst: float
    """What may be owed, in seconds of the gate."""
    cost: float
    """What the call costs, in seconds of the gate."""
    flow: str
    """On whose behalf: among these the gate is fair."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Something must be waited for."""

    seconds: float
    what: str
    """A circuit or a gate, by name."""


class Store(Protocol):
    """One statement each, by the server's clock. Every method may raise `LogError`."""

    async def troubled(self) -> Sequence[Circuit]:
        """The circuits that are not simply closed, or have failures in their window."""
        ...

    async def circuits(self) -> Sequence[Circuit]:
        """All that ever failed, in the order of their names."""
        ...

    async def changes(self, most: int) -> Sequence[Change]:
        """The latest changes, newest first."""
        ...

    async def enter(self, name: str, who: str, terms: CircuitTerms) -> float:
        """Seconds before `who` may ask; at 0 it may now, and makes the probe where the circuit is not closed."""
        ...

    async def failed(
        self, name: str, who: str, why: str, terms: CircuitTerms, *, successes: int = 0, at_once: bool = False
    ) -> CircuitState:
        """A call failed as only the ill do; `at_once` opens the circuit whatever the count."""
        ...

    async def succeeded(self, name: str, who: str, successes: int) -> None:
        """So many calls succeeded; where `who` makes the probe, the circuit closes."""
        ...

    async def left(self, name: str, who: str) -> None:
        """The probe of `who` told nothing: somebody else may make one."""
        ...

    async def slowed(self, name: str, seconds: float) -> None:
        """The provider has asked everybody to wait so long."""
        ...

    async def reset(self, name: str | None, who: str) -> Sequence[str]:
        """Close a circuit by hand, or all of them; answers which were not well."""
        ...

    async def pass_(self, passes: Sequence[Pass], ticket: str, patience: float) -> Delay | None:
        """Let the call through all gates, or say how long it must wait and for which; its place is kept till then."""
        ...

    async def settle(self, differences: Sequence[tuple[str, float]]) -> None:
        """Add to what gates are owed, in seconds of each: a call cost more than was thought, or less."""
        ...
