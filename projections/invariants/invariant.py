"""What an invariant is: a rule that watches the events of one stream come by, and says what breaks it.

A rule judges each event by those before it and by nothing else. So whatever it finds in a stream it finds in every
longer one, and a legal stream is legal at every cut.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from eventlog.log import Recorded
from projections.session import Session


@dataclass(frozen=True, slots=True)
class Moment:
    """One event, and the session it met."""

    index: int
    """How many events were read before."""
    recorded: Recorded
    before: Session


@dataclass(frozen=True, slots=True)
class Breach:
    """An invariant that does not hold, and where."""

    invariant: str
    position: int
    problem: str


class Invariant(ABC):
    """One rule, watching one stream. Its class's docstring says what holds."""

    @abstractmethod
    def breaks(self, moment: Moment) -> Iterator[str]:
        """What this event breaks, in words; it is called for every event, in order."""
