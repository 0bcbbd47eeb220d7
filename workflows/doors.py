"""The doors of a session: the signals, updates and queries through which people reach it.

Each request comes in twice: as a signal, which any Temporal client can send by hand and which is never lost, and as
an update of the same name, which tells its sender at once what is wrong. Both take any number of inputs of any shape.
What cannot be read leaves a record where it was signalled and is refused in words where it was an update; what did not
fit its handler would vanish, or stop the session for good.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.steps import Learned
    from llm.messages import Frozen
    from projections.decide import refusal
    from projections.requests import (
        Answer,
        Approve,
        ClearBreakpoint,
        Deny,
        Interrupt,
        Pause,
        RaiseBudget,
        Record,
        Reject,
        Request,
        Resume,
        Say,
        SetBreakpoint,
        Steer,
        StepOnce,
        Terminate,
    )
    from projections.session import Session


class Accepted(Frozen):
    """The request was done; the fact stands at `position`."""

    position: int


class Waiting(Frozen):
    """A question that waits for its answer."""

    call_id: str
    tool_name: str
    question: str
    expires_at: str
    position: int
    """Of the event that says what is asked: to be given with the answer."""
    votes: tuple[str, ...] = ()
    """Who has allowed it."""
    quorum: int = 1
    """How many must."""


class State(Frozen):
    """A session in short."""

    thread_id: str
    status: str
    position: int
    turns: int
    tool_calls: int
    tokens: int
    pending: int
    stalled: str
    stopped_at: str
    """Where it was stopped, in words: by a breakpoint, after one step or by an interruption; else empty."""


DOORS: Final[Mapping[str, tuple[type[Any], str]]] = {
    "message": (Say, "Tell the agent something."),
    "approve": (Approve, "Allow one tool call."),
    "deny": (Deny, "Forbid one tool call."),
    "answer": (Answer, "Answer a question."),
    "pause": (Pause, "Begin nothing new."),
    "resume": (Resume, "Go on."),
    "terminate": (Terminate, "End the session."),
    "interrupt": (Interrupt, "Stop what runs, and keep the session."),
    "steer": (Steer, "Tell the agent something that takes effect at once."),
    "step": (StepOnce, "Go on for one step."),
    "set_breakpoint": (SetBreakpoint, "Stop the session at a point, every time."),
    "clear_breakpoint": (ClearBreakpoint, "Take back a breakpoint, or all."),
    "record": (Record, "Write an event of one's own."),
    "raise": (RaiseBudget, "Allow more than was allowed."),
}
"""What may be asked of a session, by name: the shape of the request, and what it does."""


class Doors:
    """The handlers; `AgentWorkflow` is what stands behind them. Every row of `DOORS` is a signal and an update here."""

    session: Session

    @property
    def is_telling(self) -> bool:
        """Whether a fact is being made, so that the log may know more than the session. Told by the workflow."""
        raise NotImplementedError

    async def tell(self, request: Request) -> Learned:
        """Make the fact the request asks for. Told by the workflow."""
        raise NotImplementedError

    @workflow.query(name="state")
    def state(self) -> State:
        """Where the session stands."""
        session = self.session
        return State(
            thread_id=session.thread_id,
            status=session.status,
            position=session.position,
            turns=session.turns,
            tool_calls=session.tool_calls,
            tokens=session.tokens,
            pending=len(session.waiting_for_answer),
            stalled=session.stalled,
            stopped_at=session.stopped_at,
        )

    @workflow.query(name="pending")
    def pending(self) -> Sequence[Waiting]:
        """The questions that wait for an answer."""
        return [
            Waiting(
                call_id=call.id,
                tool_name=call.name,
                question=call.question,
                expires_at=call.expires_at.isoformat() if call.expires_at else "",
                position=max(call.ballot.at, call.inquired_at),
                votes=call.ballot.names,
                quorum=call.ballot.terms.quorum,
            )
            for call in self.session.waiting_for_answer
        ]

    async def _updated(self, request: Request) -> Accepted:
        learned = await self.tell(request)
        if learned.refused is not None:
            raise ApplicationError(learned.refused, type="Refused", non_retryable=True)
        return Accepted(position=learned.marks[-1].position)

    def _require(self, request: Request) -> None:
        """Refuse what is certainly wrong, before it leaves any trace.

        Whoever answers a question, rightly or not, leaves a record while there is a log to write it into. A stop may be
        in the log before the workflow hears of it. And a run that has just begun knows nothing of its session yet.
        """
        if not self.session.started:
            return
        is_answer = isinstance(request, Answer | Approve | Deny | RaiseBudget) and self.session.completed is None
        stopped_soon = isinstance(request, Resume | StepOnce) and self.is_telling
        problem = None if is_answer or stopped_soon else refusal(self.session, request)
        if problem is not None:
            raise ApplicationError(problem, type="Refused", non_retryable=True)


def _open(name: str, kind: type[Any], what: str) -> None:
    """Make a signal and an update of this name, as methods of `Doors`."""

    async def signalled(self: Doors, *given: Any) -> None:
        await self.tell(read_request(name, kind, given))

    async def updated(self: Doors, *given: Any) -> Accepted:
        return await self._updated(read_request(name, kind, given))

    def validated(self: Doors, *given: Any) -> None:
        self._require(read_request(name, kind, given))

    update = workflow.update(name=name, description=what)(updated)
    update.validator(validated)
    setattr(Doors, f"on_{name}", workflow.signal(name=name, description=what)(signalled))
    setattr(Doors, f"do_{name}", update)
    setattr(Doors, f"may_{name}", validated)


for _name, (_kind, _what) in DOORS.items():
    _open(_name, _kind, _what)


def read_request(name: str, kind: type[Any], given: Sequence[Any]) -> Any:
    """The request as written by hand, or a `Reject` that says what is wrong with it."""
    if len(given) > 1:
        return Reject(name=name, problem=f"one input is read, not {len(given)}")
    value = given[0] if given else None
    try:
        return kind.model_validate({} if value is None else value)
    except ValidationError as error:
        return Reject(name=name, problem=mistakes(error))


def mistakes(error: ValidationError) -> str:
    """Every mistake in a line, for the person who made them."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'input'}: {_plain(each['msg'])}" for each in error.errors())


def _plain(told: str) -> str:
    return told.removeprefix("Value error, ")
