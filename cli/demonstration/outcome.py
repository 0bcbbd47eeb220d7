"""What the demo promised, held against what the log and the folder say."""

import posixpath
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cli.answers import ThreadReport
from cli.demonstration.approver import WRITE
from eventlog.events import (
    ApprovalDenied,
    ApprovalGranted,
    ApprovalRequested,
    LLMResponseReceived,
    ToolExecutionCompleted,
    ToolExecutionRequested,
)
from eventlog.log import Recorded
from projections.timeline import Line
from stack.scripted.report import NAME


@dataclass(frozen=True, slots=True)
class Killing:
    """A worker's death in the middle of a model call."""

    pid: int
    exit_code: int | None
    step: int
    """The number of the model call."""
    position: int
    """Of its request in the stream."""
    characters: int
    """Of its reply, that had come in."""


@dataclass(frozen=True, slots=True)
class TakingOver:
    """The same step, finished by another worker."""

    pid: int
    attempt: int
    seconds: float
    """From the death to the reply."""


@dataclass(slots=True)
class Outcome:
    """All that came of it."""

    report: ThreadReport
    events: Sequence[Recorded] = ()
    lines: Sequence[Line] = ()
    killing: Killing | None = None
    taking_over: TakingOver | None = None
    content: bytes | None = None
    """What stands in the report's file."""
    cut_short: str | None = None
    """Why the play was not played to its end."""
    seconds: float = 0.0
    calls: dict[str, ToolExecutionRequested] = field(default_factory=dict)
    """Every call that wrote the report, by id."""
    writes: Counter[str] = field(default_factory=Counter)
    """How often each was carried out."""

    def read(self, events: Sequence[Recorded]) -> None:
        """Take from the log what it says of the report."""
        self.events = events
        facts = [recorded.event for recorded in events]
        self.calls = {e.call_id: e for e in facts if isinstance(e, ToolExecutionRequested) and _is_report(e)}
        self.writes = Counter(
            e.call_id for e in facts if isinstance(e, ToolExecutionCompleted) and e.call_id in self.calls
        )

    @property
    def written(self) -> int:
        """How often the report was written, by the log."""
        return self.writes.total()

    @property
    def call_id(self) -> str | None:
        """The first call that asked to write the report."""
        asked = (e.event for e in self.events if isinstance(e.event, ApprovalRequested))
        return next((event.call_id for event in asked if _is_report(event)), None)

    @property
    def granted(self) -> set[str]:
        """The calls that were allowed."""
        return {e.event.call_id for e in self.events if isinstance(e.event, ApprovalGranted)}

    @property
    def denied(self) -> bool:
        """Whether the report was forbidden."""
        return any(isinstance(e.event, ApprovalDenied) and e.event.call_id == self.call_id for e in self.events)

    def problems(self) -> list[str]:
        """What did not hold; nothing where all did."""
        missing = () if self.cut_short is not None else (*self._of_the_death(), *self._of_the_question())
        return [*self._of_the_thread(), *missing, *self._of_the_report()]

    def _of_the_thread(self) -> Iterator[str]:
        if self.cut_short is not None:
            yield self.cut_short
        elif self.report.status != "completed":
            yield f"the thread is {self.report.status}: {self.report.summary}"
        replies = Counter(e.event.step for e in self.events if isinstance(e.event, LLMResponseReceived))
        yield from (f"model call {step} has {count} replies" for step, count in replies.items() if count > 1)

    def _of_the_death(self) -> Iterator[str]:
        killing, taking_over = self.killing, self.taking_over
        if killing is None:
            yield "no worker was killed in the middle of a step: the model answers faster than that can be done"
            return
        if killing.exit_code != -signal.SIGKILL:
            yield f"the worker ended with {killing.exit_code}, not by SIGKILL"
        if taking_over is None:
            yield "no other worker finished the step"
        elif taking_over.attempt < 2:
            yield "the step was finished by the attempt that was killed"

    def _of_the_question(self) -> Iterator[str]:
        if self.call_id is None:
            yield f"the agent never asked to write {NAME}"
        elif self.call_id in self.granted and not self.calls:
            yield "the report was allowed, but not written"
        elif self.call_id not in self.granted and not self.denied:
            yield "nobody answered the agent's question in time"

    def _of_the_report(self) -> Iterator[str]:
        allowed = self.granted
        for call_id, call in self.calls.items():
            times = self.writes[call_id]
            if times != (1 if call_id in allowed else 0):
                yield f"the report was written {times} times under {'one' if call_id in allowed else 'no'} approval"
            elif call_id == list(self.calls)[-1] and self.content != str(call.arguments.get("content")).encode():
                yield "the file does not hold what was approved"


def _is_report(call: ToolExecutionRequested | ApprovalRequested) -> bool:
    return call.tool_name == WRITE and posixpath.normpath(str(call.arguments.get("path", ""))) == NAME
