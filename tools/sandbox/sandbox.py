"""The port to whatever runs code that nobody trusts: what it is given, what it may use, and what came of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Limit: TypeAlias = Literal["cpu", "time", "memory", "output", "folder", "calls"]
"""What ran out: processor time, time on the clock, memory, text written, bytes in the folder, use of the folder."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The most one program may use."""

    cpu_seconds: float = 5.0
    """Of computing."""
    seconds: float = 20.0
    """On the clock, waiting and starting included."""
    memory_bytes: int = 64 * MIB
    """That its objects hold."""
    output_bytes: int = 40 * 1024
    """Of what it prints, and again of its last value."""
    folder_bytes: int = 8 * MIB
    """Written into its folder, and put there beforehand."""
    calls: int = 10_000
    """Uses of its folder, and waits."""


@dataclass(frozen=True, slots=True)
class Program:
    """Code, and the files it finds in its folder."""

    code: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    """By plain names, without folders."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a program."""

    output: str = ""
    """What it printed, in order, errors included."""
    value: str | None = None
    """Its last expression, as `repr` writes it; None where that was None or there was none."""
    problem: str | None = None
    """The traceback, or what else kept it from its end; None where it ended well."""
    reached: Limit | None = None
    """The limit that ended it."""


class Sandbox(ABC):
    """Runs programs, each in a place of its own that is gone afterwards."""

    @abstractmethod
    async def run(self, program: Program, limits: Limits) -> Ran:
        """Run it to its end or to a limit; nothing of it runs on after a cancellation.

        Raises `ToolUnavailable` where it could not be run at all.
        """
