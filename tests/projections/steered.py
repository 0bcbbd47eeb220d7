"""Plays in which people steer: they interrupt, turn, stop and step a session, at any moment and in any order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from projections.breakpoints import due
from projections.evolution import SESSION
from projections.next_step import CallModel, Ended, SettleCalls, next_step
from projections.process_requests import GiveUpModel, Reach, Skip
from projections.requests import (
    ClearBreakpoint,
    Interrupt,
    Request,
    SetBreakpoint,
    Steer,
    StepOnce,
    Terminate,
)
from projections.steering import INTERRUPTED
from projections.stopping import DROPPED, drops_model_call, skips_calls, stops_calls
from tests.projections.facts import asking
from tests.projections.streams import MOST_DEEDS, MOST_STEPS, Draw, Play, Story

POINTS = (("before", None), ("after", None), ("before", "write_*"), ("after", "*"), ("before", "read_file"))


@dataclass
class SteeredPlay(Play):
    """A session that is steered. What runs when somebody interrupts it may be over just then, or not."""

    def take(self, step: Any) -> bool:
        """Take one step; a model call that is dropped has its outcome all the same."""
        if isinstance(step, SettleCalls):
            self.skip()
        if isinstance(step, CallModel) and self.maybe() and self.is_dropped(step):
            return True
        return super().take(step)

    def is_dropped(self, step: CallModel) -> bool:
        """Whether somebody drops the call between its request and its reply."""
        self.append(asking(step.step, step.at))
        self.meanwhile()
        self.deliver_told()
        if drops_model_call(self.process, step.at):
            if self.maybe():
                self.settle_with(self.reply(step))  # it came just then
            self.tell(GiveUpModel(step=step.step, kind=INTERRUPTED, problem=DROPPED))
        else:
            self.settle_with(self.reply(step))
        self.deliver_told()
        return True

    def settle(self, calls: list[str]) -> bool:
        """Bring calls forward, until each has its outcome, or all are to be stopped."""
        for _ in range(MOST_STEPS):
            self.meanwhile()
            self.deliver_told()
            self.skip()
            open_calls = [call for call in calls if call in self.stored.pending]
            if self.stored.terminating or not open_calls or stops_calls(self.process):
                self.deliver_done()
                return True
            if self.stored.paused and not self.await_people(None):
                self.deliver_done()
                return False
            self.bring_forward(self.pick(open_calls))
        raise AssertionError("the calls never end")

    def bring_forward(self, call_id: str) -> None:
        """One call a step nearer to its outcome, unless the session is stopped before it."""
        self.deliver_done(call_id)
        if self.stored.paused or call_id not in self.stored.pending or stops_calls(self.process):
            return
        if not self.stored.pending[call_id].waits and (point := due(self.process)) is not None:
            self.tell(Reach(**vars_of(point)))
            self.deliver_told()
        if not self.stored.paused:
            self.advance(call_id)

    def skip(self) -> None:
        """What is not begun is not run, where somebody said something that comes first."""
        for call_id in tuple(self.process.pending) if skips_calls(self.process) else ():
            self.tell(Skip(call_id=call_id))
        self.deliver_told()

    def act(self) -> None:
        """Somebody does something; half of the time it is to steer."""
        if self.deeds >= MOST_DEEDS or self.maybe():
            super().act()
            return
        self.deeds += 1
        when, tool = self.pick(POINTS)
        requests: Sequence[Request] = (
            Interrupt(by="bo"),
            Interrupt(by="ana"),
            Terminate(by="ana"),
            Steer(message="rather this", sender="ana"),
            StepOnce(by="bo"),
            StepOnce(by="ana"),
            SetBreakpoint.model_validate({"when": when, "tool": tool, "by": "bo"}),
            ClearBreakpoint(by="ana"),
            ClearBreakpoint(id="before:step", by="ana"),
        )
        self.tell(self.pick(requests))

    def go_on_from(self, story: Story, cut: int) -> Story:
        """The same session, taken up by another process after its first events; the people come back."""
        self.log = list(story.log[:cut])
        for recorded in self.log:
            self.stored = SESSION.evolve(self.stored, recorded)
        self.clock = (self.log[-1].time - self.log[0].time).total_seconds()
        self.process = self.stored
        while not isinstance(step := next_step(self.process, self.now), Ended):
            self.steps += 1
            assert self.steps < MOST_STEPS, "the play does not end"
            if not self.take(step):
                return self.story(ended=False)
        return self.story(ended=True)


def vars_of(point: Any) -> dict[str, Any]:
    """The fields of a point."""
    return {name: getattr(point, name) for name in ("breakpoint", "when", "step", "tools", "calls")}


@st.composite
def steered_stories(draw: Draw) -> Story:
    """A legal stream of a session that was steered."""
    return SteeredPlay(draw, zombies_write=False).run()
