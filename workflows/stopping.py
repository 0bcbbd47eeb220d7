"""How the process stops: at a point, in the middle of a model call, and with calls that are not to run any more."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.steps import StopStep
    from activities.stopping import StoppingActivities
    from eventlog.terms import ToolTerms
    from projections.breakpoints import Point
    from projections.next_step import CallModel, Step
    from projections.process_requests import (
        GiveUpModel,
        GiveUpTool,
        Reach,
        Skip,
    )
    from projections.requests import Interrupt, Pause, Request, SetBreakpoint, Steer, Terminate
    from projections.session import PendingCall
    from projections.steering import INTERRUPTED
    from projections.stopping import DROPPED, drops_model_call, kind_of_stop, skips_calls, why_stopped
    from workflows.options import STOPPING
    from workflows.tasks import to_the_end, why
    from workflows.waiting import Waiting


STOPS = Pause | Interrupt | Steer | Terminate | SetBreakpoint
STOPS_COME_FIRST = "stops-come-first"
"""Histories up to 0.3.0 may have begun something between such a request and its fact."""


class Stopping(Waiting):
    """A session that can be stopped, and gives each call its outcome then."""

    def __init__(self) -> None:
        super().__init__()
        self._reached = 0
        self._stops = 0
        """Requests to stop that have come in and are not facts yet."""

    @contextmanager
    def _heard(self, request: Request) -> Iterator[None]:
        """Nothing new is begun until the request is a fact, where it is one to stop; that may take a worker's death."""
        stops = isinstance(request, STOPS)
        self._stops += stops
        try:
            yield
        finally:
            self._stops -= stops

    def _is_to_stop(self) -> bool:
        return self._stops > 0 and workflow.patched(STOPS_COME_FIRST)

    async def _until_told(self) -> None:
        await workflow.wait_condition(lambda: not self._stops)

    async def _stop_at(self, point: Point) -> None:
        """Record that the session has come to a point, and so pause it."""
        self._reached += 1
        request = Reach(
            breakpoint=point.breakpoint, when=point.when, step=point.step, tools=point.tools, calls=point.calls
        )
        await self._tell(f"reach/{workflow.info().run_id}/{self._reached}", request)

    async def _tell_of_drop(self, step: Step) -> None:
        """A model call that was dropped has its outcome like any other."""
        if isinstance(step, CallModel) and drops_model_call(self.session, step.at) and self.session.steps < step.step:
            given_up = GiveUpModel(step=step.step, kind=INTERRUPTED, problem=DROPPED)
            await self._tell(f"model/{step.step}/outcome", given_up)

    async def _skip_calls(self) -> None:
        """Do not run what is not begun, where somebody said something that comes first."""
        for call_id in tuple(self.session.pending) if skips_calls(self.session) else ():
            await self._tell(f"call/{self.session.steps}/{call_id}/outcome", Skip(call_id=call_id))

    async def _stop_call(self, call: PendingCall) -> None:
        """The outcome of a call that was stopped, unless it has another."""
        kind, problem = kind_of_stop(self.session), why_stopped(self.session, call)
        terms = self.session.tools.get(call.name)
        if terms is not None and terms.cleanup and not call.waits:
            await self._clean_up(call, terms, kind, problem)
        if call.id not in self.session.pending:
            return
        given_up = GiveUpTool(call_id=call.id, kind=kind, problem=problem)
        await self._tell(f"call/{self.session.steps}/{call.id}/outcome", given_up)

    async def _clean_up(self, call: PendingCall, terms: ToolTerms, kind: str, problem: str) -> None:
        """Have the tool clean up after the call; where even that fails, the call has its outcome without it."""
        step = StopStep(
            started_ms=self.session.started_ms,
            step=self.session.steps,
            call=call.id,
            kind=kind,
            problem=problem,
            unsafe=terms.effect == "unsafe",
        )
        work = workflow.execute_activity_method(
            StoppingActivities.stop_call, step, summary=f"stop {call.title}", **STOPPING
        )
        try:
            self._learn(await to_the_end(work))
        except ActivityError as error:
            why(error)
