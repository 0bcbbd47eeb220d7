"""What `make chaos` tells at its end: what was struck, what came back, how soon, and which promises were broken."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles

from tests.chaos.verdict import Verdict


@dataclass
class Report:
    """All verdicts so far."""

    seed: int
    blows: int
    """That fall at random, after the matrix."""
    threads: int
    """That live through them."""
    verdicts: list[Verdict] = field(default_factory=list)
    kills: int = 0
    """Processes that were killed: workers and servers."""
    stalls: int = 0
    """Processes that were frozen and let go on."""
    others: int = 0
    """Workers that were told to stop, and times when the database answered and did not do what it should."""
    problems: list[str] = field(default_factory=list)
    """What went wrong with no single thread."""

    @property
    def ok(self) -> bool:
        """Whether every promise was kept, and anything was played at all."""
        return bool(self.verdicts) and not self.problems and all(each.ok for each in self.verdicts)

    @property
    def moved(self) -> dict[str, list[float]]:
        """For each blow, after how many seconds threads moved again."""
        moved: dict[str, list[float]] = defaultdict(list)
        for verdict in self.verdicts:
            moved[verdict.case.rsplit("/", 2)[0]].extend(verdict.moved)
        return moved

    def lines(self) -> Iterator[str]:
        """The report, in words."""
        for verdict in self.verdicts:
            for violation in verdict.violations:
                yield f"BROKEN {verdict.case}: {violation}"
                yield f"       again: {self.again(verdict)}"
        for problem in self.problems:
            yield f"BROKEN {problem} (seed {self.seed})"
        broken = sum(not each.ok for each in self.verdicts)
        blows = f"{self.kills} kills, {self.stalls} stalls, {self.others} other blows"
        yield f"seed {self.seed}: {len(self.verdicts)} threads, {blows}"
        yield (
            f"  {len(self.verdicts) - broken} ended right, {broken} did not;"
            f" {sum(each.effects for each in self.verdicts)} effects in the ledger,"
            f" {sum(each.unknowns for each in self.verdicts)} outcomes unknown"
        )
        yield "until a thread moved again, from the blow or from when the servers were back, in seconds:"
        yield f"  {'':<18}{'recoveries':>10}{'median':>9}{'p95':>9}"
        yield from (_row(name, seconds) for name, seconds in self.moved.items())
        yield _row("all", [each for seconds in self.moved.values() for each in seconds])

    def again(self, verdict: Verdict) -> str:
        """The command that plays the case alone."""
        by_chance = verdict.case.startswith("random/")
        case = f"random KILLS={self.blows} THREADS={self.threads}" if by_chance else verdict.case
        return f"make chaos SEED={self.seed} CASE={case}"

    def json(self) -> str:
        """The report, for programs."""
        moved = {name: _summary(seconds) for name, seconds in self.moved.items()}
        return json.dumps({"ok": self.ok, "moved_seconds": moved, **asdict(self)}, indent=1)


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    return {"recoveries": len(seconds), "median": median(seconds), "p95": _p95(seconds)} if seconds else {}


def _row(name: str, seconds: Sequence[float]) -> str:
    if not seconds:
        return f"  {name:<18}{0:>10}"
    return f"  {name:<18}{len(seconds):>10}{median(seconds):>9.2f}{_p95(seconds):>9.2f}"


def _p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
