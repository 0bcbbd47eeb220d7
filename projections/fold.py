"""What every projection is: a beginning, and a step from one state to the next."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from eventlog.log import Recorded

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Projection(Generic[S]):
    """A view that is built event by event.

    `evolve` owns the state it is given and may build the next one out of it: whoever folds keeps only the newest.
    """

    name: str
    """What the view is called, in requests and in caches."""
    version: int
    """Raised whenever the same events would give another state."""
    initial: Callable[[], S]
    """Makes the state of an empty stream."""
    evolve: Callable[[S, Recorded], S]
    """Takes the state one event further."""


def fold(projection: Projection[S], events: Iterable[Recorded]) -> S:
    """The view of these events."""
    state = projection.initial()
    for recorded in events:
        state = projection.evolve(state, recorded)
    return state
