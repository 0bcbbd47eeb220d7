"""The doors of a session: the signals, updates and queries through which people reach it.

Each request comes in twice: as a signal, which any Temporal client can send by hand and which is never lost, and as
an update of the same name, which tells its sender at once what is wrong. Both take any number of inputs of any shape.
What cannot be read leaves a record where it was signalled and is refused in words where it was an update; what did not
fit its handler would vanish, or stop the session for good.
"""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.steps import Learned
    from llm.messages import Frozen
    from projections.decide import refusal
    from projections.requests import Approve, Deny, Pause, Record, Reject, Request, Resume, Say, Terminate
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


class Doors:
    """The handlers; `AgentWorkflow` is what stands behind them."""

    session: Session

    async def tell(self, request: Request) -> Learned:
        """Make the fact the request asks for. Told by the workflow."""
        raise NotImplementedError

    @workflow.signal(name="message")
    async def on_message(self, *given: Any) -> None:
        """Tell the agent something."""
        await self._signalled("message", Say, given)

    @workflow.signal(name="approve")
    async def on_approve(self, *given: Any) -> None:
        """Allow one tool call."""
        await self._signalled("approve", Approve, given)

    @workflow.signal(name="deny")
    async def on_deny(self, *given: Any) -> None:
        """Forbid one tool call."""
        await self._signalled("deny", Deny, given)

    @workflow.signal(name="pause")
    async def on_pause(self, *given: Any) -> None:
        """Begin nothing new."""
        await self._signalled("pause", Pause, given)

    @workflow.signal(name="resume")
    async def on_resume(self, *given: Any) -> None:
        """Go on."""
        await self._signalled("resume", Resume, given)

    @workflow.signal(name="terminate")
    async def on_terminate(self, *given: Any) -> None:
        """End the session."""
        await self._signalled("terminate", Terminate, given)

    @workflow.signal(name="record")
    async def on_record(self, *given: Any) -> None:
        """Write an event of one's own."""
        await self._signalled("record", Record, given)

    @workflow.update(name="message")
    async def do_message(self, *given: Any) -> Accepted:
        """Tell the agent something, and hear whether it was taken."""
        return await self._updated(read_request("message", Say, given))

    @do_message.validator
    def _may_message(self, *given: Any) -> None:
        self._require(read_request("message", Say, given))

    @workflow.update(name="approve")
    async def do_approve(self, *given: Any) -> Accepted:
        """Allow one tool call, and hear whether that was still possible."""
        return await self._updated(read_request("approve", Approve, given))

    @do_approve.validator
    def _may_approve(self, *given: Any) -> None:
        self._require(read_request("approve", Approve, given))

    @workflow.update(name="deny")
    async def do_deny(self, *given: Any) -> Accepted:
        """Forbid one tool call, and hear whether that was still possible."""
        return await self._updated(read_request("deny", Deny, given))

    @do_deny.validator
    def _may_deny(self, *given: Any) -> None:
        self._require(read_request("deny", Deny, given))

    @workflow.update(name="pause")
    async def do_pause(self, *given: Any) -> Accepted:
        """Begin nothing new."""
        return await self._updated(read_request("pause", Pause, given))

    @do_pause.validator
    def _may_pause(self, *given: Any) -> None:
        self._require(read_request("pause", Pause, given))

    @workflow.update(name="resume")
    async def do_resume(self, *given: Any) -> Accepted:
        """Go on."""
        return await self._updated(read_request("resume", Resume, given))

    @do_resume.validator
    def _may_resume(self, *given: Any) -> None:
        self._require(read_request("resume", Resume, given))

    @workflow.update(name="terminate")
    async def do_terminate(self, *given: Any) -> Accepted:
        """End the session."""
        return await self._updated(read_request("terminate", Terminate, given))

    @do_terminate.validator
    def _may_terminate(self, *given: Any) -> None:
        self._require(read_request("terminate", Terminate, given))

    @workflow.update(name="record")
    async def do_record(self, *given: Any) -> Accepted:
        """Write an event of one's own, and hear whether it is one."""
        return await self._updated(read_request("record", Record, given))

    @do_record.validator
    def _may_record(self, *given: Any) -> None:
        self._require(read_request("record", Record, given))

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
            )
            for call in self.session.waiting_for_answer
        ]

    async def _signalled(self, name: str, kind: type[Any], given: Sequence[Any]) -> None:
        await self.tell(read_request(name, kind, given))

    async def _updated(self, request: Request) -> Accepted:
        learned = await self.tell(request)
        if learned.refused is not None:
            raise ApplicationError(learned.refused, type="Refused", non_retryable=True)
        return Accepted(position=learned.marks[-1].position)

    def _require(self, request: Request) -> None:
        """Refuse what is certainly wrong. A question may stand in the log before the workflow has heard of it."""
        asked_soon = isinstance(request, Approve | Deny) and _is_wanted(self.session, request.call_id)
        problem = None if asked_soon else refusal(self.session, request)
        if problem is not None:
            raise ApplicationError(problem, type="Refused", non_retryable=True)


def _is_wanted(session: Session, call_id: str) -> bool:
    call = session.pending.get(call_id)
    return call is not None and call.state == "wanted" and session.completed is None


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
