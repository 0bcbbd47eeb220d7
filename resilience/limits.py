"""Rate limits as they are written: which calls, how many in which time, and what is counted apart.

One YAML file, a list under `limits`; under `circuits`, when they open:

    limits:
      - {id: opus, models: "claude-opus-*", per_minute: 50}
      - {id: opus-tokens, models: "claude-opus-*", tokens_per_minute: 400000}
      - {id: fair-use, models: "*", each: tenant, per_minute: 20}
      - {id: search, tools: web_search, per_second: 2, burst: 10}
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from policy.mistakes import Reader
from policy.patterns import Globs
from policy.rules import Named
from policy.words import Patterns, Words, listed
from resilience.store import USUAL, CircuitTerms, Pass

Key = Literal["tenant", "thread", "model", "tool"]
_PERIODS = {"per_second": 1.0, "per_minute": 60.0, "per_hour": 3600.0, "tokens_per_minute": 60.0}
MOST_OWED = 24 * 3600.0
"""Seconds of a gate that one call may cost at most: what is larger is a mistake in the file, and heals within a day."""

Rate = Annotated[float, Field(ge=0.001, le=1_000_000, allow_inf_nan=False)]
Keys = Annotated[tuple[Key, ...], BeforeValidator(listed), Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Subject:
    """A call that is about to be made."""

    tenant: str
    thread: str
    model: str | None = None
    """Of a model call."""
    tool: str | None = None
    """Of a tool call."""
    tokens: int = 0
    """What it will use, as far as can be told."""


class Limit(Words):
    """One limit: it counts the calls that fit everything it names."""

    id: Named
    models: Patterns | None = None
    """Model calls, by the model's name."""
    tools: Patterns | None = None
    """Tool calls, by the tool's name."""
    tenants: Patterns | None = None
    each: Keys | None = None
    """What is counted apart: each tenant, each thread, each model, each tool. Not given: all together."""
    per_second: Rate | None = None
    per_minute: Rate | None = None
    per_hour: Rate | None = None
    tokens_per_minute: Annotated[float, Field(ge=1, le=1_000_000_000_000, allow_inf_nan=False)] | None = None
    """Tokens read, but for those from the provider's cache, and written."""
    burst: Annotated[float, Field(ge=1, le=1_000_000_000_000, allow_inf_nan=False)] | None = None
    """How many at once, or how many tokens, after a rest. Not given: those of one second, at least one."""

    @model_validator(mode="after")
    def _is_one_limit(self) -> Self:
        if (self.models is None) == (self.tools is None):
            raise ValueError(f"the limit {self.id}: write either models: … or tools: …")
        given = [name for name in _PERIODS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"the limit {self.id}: write one of {', '.join(_PERIODS)}")
        if self.tokens_per_minute is not None and self.tools is not None:
            raise ValueError(f"the limit {self.id}: only models use tokens")
        for key in set(self.each or ()) & {"model", "tool"}:
            if getattr(self, f"{key}s") is None:
                raise ValueError(f"the limit {self.id}: each {key} needs {key}s: …")
        return self

    @cached_property
    def interval(self) -> float:
        """Seconds that one call, or one token, takes of the gate."""
        [(rate, period)] = [
            (rate, period) for name, period in _PERIODS.items() if (rate := getattr(self, name)) is not None
        ]
        return float(period / rate)

    @cached_property
    def _names(self) -> Globs:
        return Globs(self.models or self.tools or ())

    @cached_property
    def _tenants(self) -> Globs | None:
        return Globs(self.tenants) if self.tenants is not None else None

    def fits(self, subject: Subject) -> bool:
        """Whether the call counts; what cannot be told does."""
        name = subject.tool if self.models is None else subject.model
        if name is None or self._names.match(name) is False:
            return False
        return self._tenants is None or self._tenants.match(subject.tenant) is not False

    def cost(self, subject: Subject) -> float:
        """What the call takes of the gate, in seconds."""
        units = subject.tokens if self.tokens_per_minute is not None else 1
        return min(units * self.interval, MOST_OWED)

    def gate(self, subject: Subject) -> str:
        """The gate's name: the limit's, and what is counted apart."""
        apart = "".join(f"/{key}={getattr(subject, key)}" for key in self.each or ())
        return f"{self.id}{apart}"

    def ask(self, subject: Subject) -> Pass:
        """What the call asks of the gate. Where tenants are counted apart, it is fair among their threads."""
        burst = self.burst if self.burst is not None else max(1.0, 1.0 / self.interval)
        flow = subject.thread if "tenant" in (self.each or ()) else subject.tenant
        return Pass(self.gate(subject), burst * self.interval, self.cost(subject), flow)


class CircuitWords(Words):
    """When circuits open, as it is written: see `CircuitTerms`."""

    failures: Annotated[int, Field(ge=1, le=10_000)] = USUAL.failures
    ratio: Annotated[float, Field(gt=0, le=1)] = USUAL.ratio
    window: Annotated[float, Field(gt=0, le=3600)] = USUAL.window
    open: Annotated[float, Field(gt=0, le=24 * 3600)] = USUAL.open
    longest: Annotated[float, Field(gt=0, le=24 * 3600)] = USUAL.longest
    probe: Annotated[float, Field(gt=0, le=3600)] = USUAL.probe

    def terms(self) -> CircuitTerms:
        """The same, to be used."""
        return CircuitTerms(**self.model_dump())


class LimitsFile(Words):
    """The file."""

    limits: Annotated[tuple[Limit, ...], BeforeValidator(listed), Field(max_length=200)] = ()
    circuits: CircuitWords = CircuitWords()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        seen: set[str] = set()
        for limit in self.limits:
            if limit.id in seen:
                raise ValueError(f"there are two limits {limit.id!r}: they would share one count")
            seen.add(limit.id)
        return self


NO_LIMITS = LimitsFile()


def read_limits(file: Path | None) -> LimitsFile:
    """What the file says; without one, there are no limits. Raises `InvalidFile` with every mistake and its line."""
    if file is None:
        return NO_LIMITS
    said, _ = Reader(LimitsFile, {"limits": Limit, "circuits": CircuitWords}).read(file, LimitsFile)
    return said


def passes(limits: Sequence[Limit], subject: Subject) -> list[Pass]:
    """What the call asks of all gates it comes to."""
    return [limit.ask(subject) for limit in limits if limit.fits(subject)]


def corrections(limits: Sequence[Limit], subject: Subject, tokens: int) -> list[tuple[str, float]]:
    """What gates are owed more, in seconds, where the call used so many tokens and not as many as was thought."""
    used = Subject(subject.tenant, subject.thread, subject.model, subject.tool, tokens)
    return [
        (limit.gate(subject), limit.cost(used) - limit.cost(subject))
        for limit in limits
        if limit.tokens_per_minute is not None and limit.fits(subject) and limit.cost(used) != limit.cost(subject)
    ]
