"""The crash matrix: who is struck, how, at which moment, with what kind of tool in hand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product

VICTIMS: Mapping[str, frozenset[str]] = {
    "worker": frozenset({"worker"}),
    "temporal": frozenset({"temporal"}),
    "postgres": frozenset({"postgres"}),
    "all": frozenset({"worker", "temporal", "postgres"}),
}
HOWS = ("kill", "stall")
FURTHER_HOWS: Mapping[str, tuple[str, ...]] = {"worker": ("nap", "again", "stop"), "postgres": ("refuse", "crowd")}
"""What can be done to one victim alone."""
MOMENTS = (
    "before-intent",
    "after-intent",
    "after-effect",
    "after-outcome",
    "approval",
    "continue-as-new",
    "batch-commit",
)
KINDS: Mapping[str, str] = {"read_only": "look", "idempotent": "put", "reconcilable": "book", "unsafe": "fire"}
"""The kinds of tool, and the tool of each kind that is called."""
ONE = ("unsafe",)
"""Where no tool is in hand, one that may not be repeated comes next."""
COMPANIES: Mapping[str, Mapping[str, Iterable[str]]] = {
    "people": {"two-votes": KINDS, "expired": KINDS, "lapsed": ONE, "question": ONE, "answering": ONE},
    "money": {"set-aside": ONE, "unsettled": ONE, "tool-set-aside": KINDS, "tool-settled": KINDS},
    "models": {"standing-in": ONE, "probing": ONE},
    "steering": {
        "interrupted-model": ONE,
        "steered-model": ONE,
        "stepped": ONE,
        "interrupted-tool": KINDS,
        "steered-tool": KINDS,
        "paused-tool": KINDS,
    },
}
"""Further moments, by what they are about, and the kinds of tool with which each is played."""
IN_FLIGHT = frozenset(
    {
        *("after-intent", "after-effect", "batch-commit"),
        *("tool-set-aside", "tool-settled", "interrupted-tool", "steered-tool", "paused-tool"),
    }
)
"""Moments at which a call has been begun and its outcome is not known to be written."""


class NoSuchCase(ValueError):
    """A name that is none of a case, or of several."""


@dataclass(frozen=True, slots=True)
class Blow:
    """What is struck, and how."""

    victim: str
    how: str
    """`kill`, `stall`, one of the further ones, or `outlast`: killed, and away for longer than the heartbeats of a call
    may be missing."""

    def __str__(self) -> str:
        return f"{self.victim}/{self.how}"

    @property
    def struck(self) -> frozenset[str]:
        """Which of worker, temporal and postgres."""
        return VICTIMS[self.victim]

    @property
    def kills(self) -> int:
        """How many processes it kills."""
        return {"kill": len(self.struck), "outlast": len(self.struck), "again": 3}.get(self.how, 0)

    @property
    def stalls(self) -> int:
        """How many it freezes."""
        return len(self.struck) if self.how in {"stall", "nap"} else 0


@dataclass(frozen=True, slots=True)
class Case:
    """A thread with one kind of tool that is struck at one moment."""

    blow: Blow
    moment: str
    kind: str

    def __str__(self) -> str:
        return f"{self.blow}/{self.moment}/{self.kind}"

    @property
    def opening(self) -> str:
        """What the thread is asked, by which the playbook and the halting worker know it."""
        return f"{self.moment}.{self.kind}"

    @property
    def company(self) -> str:
        """With which others it can share a blow: a batch commit stops everybody else, so that it has one of its own."""
        if self.moment == "batch-commit":
            return self.moment
        return next((name for name, moments in COMPANIES.items() if self.moment in moments), "crashes")

    @property
    def may_lose_an_outcome(self) -> bool:
        """Whether nobody may know what became of a call that may not be repeated.

        A worker that is only told to stop knows it; the second that is killed may die in a call at any moment.
        """
        if self.blow.how in {"again", "stop"}:
            return self.blow.how == "again"
        return self.moment in IN_FLIGHT and ("worker" in self.blow.struck or self.blow.how == "outlast")


EXTRA = (
    (Blow("temporal", "outlast"), "after-intent"),
    (Blow("temporal", "outlast"), "after-effect"),
    (Blow("worker", "stall"), "terminated"),
)
"""The last: a worker is frozen between looking a call up and declaring its intent, and its thread is terminated."""
BLOWS: Sequence[Blow] = tuple(Blow(victim, how) for victim in VICTIMS for how in (*HOWS, *FURTHER_HOWS.get(victim, ())))
CASES: Sequence[Case] = (
    *(Case(blow, moment, kind) for blow, moment in (*product(BLOWS, MOMENTS), *EXTRA) for kind in KINDS),
    *(
        Case(blow, moment, kind)
        for blow, moments in product(BLOWS, COMPANIES.values())
        for moment, kinds in moments.items()
        for kind in kinds
    ),
)


def chosen(name: str = "") -> list[Case]:
    """The cases that this name, or beginning of one, stands for; all where it is empty. Raises `NoSuchCase`."""
    words = name.strip("/").split("/") if name else []
    found = [case for case in CASES if str(case).split("/")[: len(words)] == words]
    if not found:
        raise NoSuchCase(
            f"there is no case {name!r}: write VICTIM/HOW/MOMENT/KIND, or its beginning, with {', '.join(VICTIMS)}; "
            f"{', '.join((*HOWS, *chain(*FURTHER_HOWS.values())))}; "
            f"{', '.join((*MOMENTS, *chain(*COMPANIES.values())))}; {', '.join(KINDS)}"
        )
    return found


def together(cases: Iterable[Case]) -> list[list[Case]]:
    """The cases that one blow can serve."""
    groups: dict[tuple[Blow, str], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.blow, case.company), []).append(case)
    return list(groups.values())
