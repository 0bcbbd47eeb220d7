"""Calls that were stopped on request, and whose tools clean up after themselves: clean up, bounded in time, and record.

The process asks for this once nothing of the call runs any more. What comes of the clean-up stands in the call's
outcome; without one, or where it cannot be made, the outcome is recorded all the same.
"""

from functools import partial
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attempt import Pulse, attempting
from activities.journal import Author, Journal
from activities.steps import Learned, StopStep
from activities.underway import Underway
from activities.views import Views
from eventlog.events import ToolExecutionFailed, ToolExecutionOutcomeUnknown
from eventlog.log import EventLog
from eventlog.marks import Mark
from projections.tool_calls import TOOL_CALLS, OpenCall, ToolCalls
from tools.context import ToolContext
from tools.toolbox import Planned, Toolbox


class StoppingActivities:
    """Brings stopped calls to their outcome."""

    def __init__(self, log: EventLog, views: Views, toolbox: Toolbox, workspace: Path) -> None:
        self._journal = Journal(log, views)
        self._views = views
        self._toolbox = toolbox
        self._workspace = workspace
        self._underway = Underway()

    @activity.defn
    async def stop_call(self, step: StopStep) -> Learned:
        """Clean up after a call that was begun and did not finish; its outcome is in the log when this returns."""
        with attempting() as pulse:
            key = (step.stream, step.step, step.call)
            return await self._underway.bring_to_end(key, partial(self._stop, step, pulse))

    async def _stop(self, step: StopStep, pulse: Pulse) -> Learned:
        def see(calls: ToolCalls) -> tuple[OpenCall | None, Author]:
            call = calls.open.get(step.call)
            return call, Author(calls.tenant, calls.principal, call.cause if call else None)

        call, author = (await self._views.read(TOOL_CALLS, step.stream, see)).value
        if call is None or call.step != step.step:
            return await self._recall(step)
        cleaned = await self._clean_up(step, call, author, pulse) if call.intent is not None else ""
        event = _outcome(step, call, ". ".join(part for part in (step.problem, cleaned) if part))
        written = await self._journal.settle(step, f"call/{step.step}/{step.call}/outcome", event, author)
        return Learned(marks=(written.mark,))

    async def _recall(self, step: StopStep) -> Learned:
        """The outcome the log has already."""
        known = await self._journal.find(step, f"call/{step.step}/{step.call}/outcome")
        if known is None:
            raise ApplicationError(f"no call {step.call!r} is open", type="NoSuchCall", non_retryable=True)
        return Learned(marks=(Mark.of(known.position, known.event),))

    async def _clean_up(self, step: StopStep, call: OpenCall, author: Author, pulse: Pulse) -> str:
        """What came of the clean-up, in words; nothing where there is none."""
        plan = self._toolbox.plan(call.name, call.arguments_to_run, call.allowed)
        if not isinstance(plan, Planned):
            return f"It was not cleaned up: {plan.problem}"
        context = ToolContext(
            thread_id=step.thread_id,
            call_id=call.id,
            tenant=author.tenant,
            principal=author.principal,
            idempotency_key=str(self._journal.id_of(step, f"call/{step.step}/{step.call}/intent")),
            attempt=activity.info().attempt,
            workspace=self._workspace,
            heartbeat=pulse.note,
        )
        return await self._toolbox.clean_up(plan, context)


def _outcome(step: StopStep, call: OpenCall, problem: str) -> ToolExecutionFailed | ToolExecutionOutcomeUnknown:
    """A call that was begun may have acted; one that may be repeated has merely failed."""
    if call.intent is not None and step.unsafe:
        return ToolExecutionOutcomeUnknown(call_id=call.id, tool_name=call.name, explanation=problem)
    return ToolExecutionFailed(
        call_id=call.id, tool_name=call.name, kind=step.kind, error_message=problem, retry_count=call.failures
    )
