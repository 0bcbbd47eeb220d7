"""The crash matrix: who is struck, how, at which moment, with what kind of tool in hand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

VICTIMS: Mapping[str, frozenset[str]] = {
    "worker": frozenset({"worker"}),
    "temporal": frozenset({"temporal"}),
    "postgres": frozenset({"postgres"}),
    "all": frozenset({"worker", "temporal", "postgres"}),
}
HOWS = ("kill", "stall")
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
IN_FLIGHT = frozenset({"after-intent", "after-effect", "batch-commit"})
"""Moments at which a call has been begun and its outcome is not known to be written."""


class NoSuchCase(ValueError):
    """A name that is none of a case, or of several."""


@dataclass(frozen=True, slots=True)
class Blow:
    """What is struck, and how."""

    victim: str
    how: str
    """`kill`, `stall`, or `outlast`: killed and away for longer than the heartbeats of a call may be missing."""

    def __str__(self) -> str:
        return f"{self.victim}/{self.how}"

    @property
    def struck(self) -> frozenset[str]:
        """Which of worker, temporal and postgres."""
        return VICTIMS[self.victim]


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
    def may_lose_an_outcome(self) -> bool:
        """Whether nobody may know what became of a call that may not be repeated."""
        return self.moment in IN_FLIGHT and ("worker" in self.blow.struck or self.blow.how == "outlast")


EXTRA = (
    (Blow("temporal", "outlast"), "after-intent"),
    (Blow("temporal", "outlast"), "after-effect"),
    (Blow("worker", "stall"), "terminated"),
)
"""The last: a worker is frozen between looking a call up and declaring its intent, and its thread is terminated."""
CASES: Sequence[Case] = tuple(
    Case(blow, moment, kind)
    for blow, moment in (
        *((Blow(victim, how), moment) for victim in VICTIMS for how in HOWS for moment in MOMENTS),
        *EXTRA,
    )
    for kind in KINDS
)


def chosen(name: str = "") -> list[Case]:
    """The cases that this name, or beginning of one, stands for; all where it is empty. Raises `NoSuchCase`."""
    words = name.strip("/").split("/") if name else []
    found = [case for case in CASES if str(case).split("/")[: len(words)] == words]
    if not found:
        raise NoSuchCase(
            f"there is no case {name!r}: write VICTIM/HOW/MOMENT/KIND, or its beginning, with {', '.join(VICTIMS)}; "
            f"{', '.join(HOWS)}; {', '.join(MOMENTS)}; {', '.join(KINDS)}"
        )
    return found


def together(cases: Iterable[Case]) -> list[list[Case]]:
    """The cases that one blow can serve: a batch commit stops everybody else, so that it has a blow of its own."""
    groups: dict[tuple[Blow, bool], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.blow, case.moment == "batch-commit"), []).append(case)
    return list(groups.values())
