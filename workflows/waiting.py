"""How the process waits: for people, for time, and for work that may be called off."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.steps import Learned
    from projections.next_step import AwaitMessage, AwaitRaise, Step
    from projections.process_requests import Close, Expire, GiveUpBudget
    from projections.session import PendingCall
    from workflows.tasks import let_go, positive, sooner
    from workflows.telling import Telling


class Waiting(Telling):
    """A session that can wait."""

    async def _await_answer(self, call: PendingCall) -> None:
        """Wait until a person has decided; a question that nobody answers in time expires."""

        def answered() -> bool:
            now = self.session.question(call.id)
            return now is None or not now.waits or workflow.info().is_continue_as_new_suggested()

        left = call.expires_at - workflow.now() if call.expires_at else None
        try:
            await workflow.wait_condition(answered, timeout=positive(left), timeout_summary=f"approval of {call.title}")
        except TimeoutError:
            level = call.ballot.level
            key = f"expire/{self.session.steps}/{call.id}" + (f"/{level}" if level else "")
            await self._tell(key, Expire(call_id=call.id, level=level, at=workflow.now()))

    async def _await_message(self, step: AwaitMessage, timeout: float | None) -> None:
        try:
            await self._wait_while(step, timedelta(seconds=timeout) if timeout else None)
        except TimeoutError:
            summary = f"nobody said anything for {timeout:g} seconds"
            await self._tell("session/completed", Close(reason="timeout", summary=summary))

    async def _await_raise(self, step: AwaitRaise) -> None:
        """Wait until a person has allowed more or said no; a question that nobody answers in time is a no."""
        left = step.expires_at - workflow.now() if step.expires_at else None
        try:
            await workflow.wait_condition(
                lambda: self._next() != step or workflow.info().is_continue_as_new_suggested(),
                timeout=positive(left),
                timeout_summary="the question about the budget",
            )
        except TimeoutError:
            await self._tell(f"budget/expired/{step.asked_at}", GiveUpBudget(asked_at=step.asked_at))

    async def _wait_while(self, step: Step, timeout: timedelta | None = None) -> None:
        """Wait until something else is to be done; `TimeoutError` where `timeout` comes before that."""

        def changed() -> bool:
            return self._next() != step or workflow.info().is_continue_as_new_suggested()

        left = self._time_left()
        try:
            await workflow.wait_condition(changed, timeout=positive(sooner(left, timeout)))
        except TimeoutError:
            if timeout is not None and (left is None or timeout < left):
                raise

    async def _until_stopped(self, work: Coroutine[Any, Any, None], stops: Callable[[], bool]) -> None:
        """Do the work, but let go of it when it is to stop, the session is terminated or its time is over."""
        task = asyncio.create_task(work)
        try:
            await workflow.wait_condition(
                lambda: task.done() or self.session.terminating or bool(self.session.exceeded) or stops(),
                timeout=positive(self._time_left()),
            )
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            await let_go(task)
            raise
        await let_go(task)  # not in a `finally`: a session that is only put out of memory may not wait any more

    async def _rest(self, learned: Learned) -> None:
        """Wait for what keeps a step from being done; no worker holds anything meanwhile."""
        if learned.rest is not None:
            await workflow.sleep(learned.rest.seconds, summary=f"waits for {learned.rest.what}")
