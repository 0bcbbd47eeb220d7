"""What came of looking a thread over."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold."""

    thread_id: str
    position: int
    """Where; -1 where the stream is empty."""
    invariant: str
    """The rule's name."""
    problem: str
    repairable: bool = False
    """Whether `--repair` can write what is missing."""


@dataclass(frozen=True, slots=True)
class Repair:
    """An event that was written to mend a stream."""

    thread_id: str
    position: int
    event: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thread, looked over."""

    thread_id: str
    events: int
    findings: tuple[Finding, ...] = ()
    repaired: tuple[Repair, ...] = ()
    unchecked: Counter[str] = field(default_factory=Counter)
    """What could not be checked here, and how often."""


@dataclass(frozen=True, slots=True)
class Report:
    """All threads that were looked over: what `perdure verify --json` answers."""

    ok: bool
    threads: int
    events: int
    findings: tuple[Finding, ...]
    repaired: tuple[Repair, ...]
    unchecked: dict[str, int]
    """What could not be checked here, and how often: nothing is wrong with it as far as one can see."""

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> "Report":
        """The sum of what was found."""
        findings = tuple(finding for each in verdicts for finding in each.findings)
        unchecked: Counter[str] = Counter()
        for each in verdicts:
            unchecked.update(each.unchecked)
        return cls(
            ok=not findings,
            threads=len(verdicts),
            events=sum(each.events for each in verdicts),
            findings=findings,
            repaired=tuple(repair for each in verdicts for repair in each.repaired),
            unchecked=dict(unchecked),
        )
