"""What holds of every session that is steered, however requests and outcomes come in."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eventlog.events import (
    AnyEvent,
    BreakpointReached,
    BreakpointSet,
    BudgetExceeded,
    LLMCallRequested,
    SessionCompleted,
    SessionInterrupted,
    SessionPaused,
    SessionResumed,
    SessionStepped,
    SessionTerminationRequested,
)
from eventlog.terms import Breakpoint
from projections.breakpoints import Point
from projections.decide import refusal
from projections.evolution import SESSION
from projections.fold import fold
from projections.invariants.catalogue import breaches
from projections.next_step import (
    AwaitMessage,
    AwaitResume,
    CallModel,
    Finish,
    SettleCalls,
    Step,
    StopAt,
    StopCalls,
    next_step,
)
from projections.process_requests import Close, Skip
from projections.requests import (
    ClearBreakpoint,
    Interrupt,
    Request,
    SetBreakpoint,
    Steer,
    StepOnce,
)
from projections.session import PendingCall
from projections.steering import INTERRUPTED, ONE_STEP
from projections.transcript import TRANSCRIPT, render
from tests.projections.facts import START, begun, completed, model_failed, replied, said, session_of, started, use
from tests.projections.invariants import broken
from tests.projections.steered import SteeredPlay, steered_stories
from tests.projections.streams import Story
from tests.projections.test_properties import essence

for_every_story = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@for_every_story
@given(story=steered_stories())
def test_a_steered_stream_is_legal(story: Story) -> None:
    """Every invariant holds: in a session that was terminated, no call is open."""
    assert not list(breaches(story.log))
    ended = next((each.event for each in story.log if isinstance(each.event, SessionCompleted)), None)
    if ended is not None and ended.completion_reason == "terminated":
        assert not fold(SESSION, story.log).pending


@for_every_story
@given(story=steered_stories())
def test_the_process_knows_what_a_steered_log_says(story: Story) -> None:
    """Marks that come late make the same session as the log."""
    assert essence(story.process) == essence(fold(SESSION, story.log))


@for_every_story
@given(story=steered_stories())
def test_the_model_is_always_asked_in_a_way_its_provider_takes(story: Story) -> None:
    """Whatever was dropped, skipped or stopped before: each call has one result, right after it."""
    transcript = TRANSCRIPT.initial()
    at = {each.event.at for each in story.log if isinstance(each.event, LLMCallRequested)}
    for recorded in story.log:
        transcript = TRANSCRIPT.evolve(transcript, recorded)
        if recorded.position in at:
            assert not broken(render(transcript, ()))


@for_every_story
@given(story=steered_stories(), data=st.data())
def test_a_session_that_is_cut_anywhere_goes_on(story: Story, data: st.DataObject) -> None:
    """A process that takes it up from its stream finds what to do, comes to an end, and leaves a legal stream."""
    cut = data.draw(st.integers(2, len(story.log)))
    again = SteeredPlay(data.draw, zombies_write=False).go_on_from(story, cut)
    assert not list(breaches(again.log))


@for_every_story
@given(story=steered_stories())
def test_a_breakpoint_never_stops_twice_at_the_same_point(story: Story) -> None:
    """No two stops of one kind name the same model call, or the same calls of it."""
    stops = [each.event for each in story.log if isinstance(each.event, BreakpointReached)]
    points = [
        (stop.when, stop.step, bool(stop.tools), call)
        for stop in stops
        if stop.breakpoint != ONE_STEP
        for call in (stop.calls or ("",))
    ]
    assert len(set(points)) == len(points)


TASK = (started(), said("hi"))
CHAT = (started("chat", idle_timeout=60), said("hi"))
INTERRUPTION = SessionInterrupted(by="bo")
CALLS = (*TASK, replied(use("a"), use("b", "write_file")))
BEFORE_STEP = BreakpointSet(breakpoint=Breakpoint(when="before"), by="bo")
BEFORE_WRITE = BreakpointSet(breakpoint=Breakpoint(when="before", tool="write_*"), by="bo")
AFTER_READ = BreakpointSet(breakpoint=Breakpoint(when="after", tool="read_file"), by="bo")
AT_CALL_1 = BreakpointReached(breakpoint="before:step", when="before", step=1)
ANOTHER = StopAt(Point("before:step", "before", 2))
DROP = model_failed(kind=INTERRUPTED)

STEPS: Sequence[tuple[str, tuple[AnyEvent, ...], Step]] = (
    ("an interrupted task waits", (*TASK, INTERRUPTION), AwaitMessage(None)),
    ("an interrupted chat waits no longer than any", (*CHAT, INTERRUPTION), AwaitMessage(60)),
    ("a task that was done when it was interrupted waits", (*TASK, replied("ok"), INTERRUPTION), AwaitMessage(None)),
    ("a message goes on", (*TASK, INTERRUPTION, said("so?")), CallModel(1, 3)),
    ("a dropped model call is no failure", (*TASK, INTERRUPTION, DROP, said("so?")), CallModel(2, 4)),
    ("a pause holds what is interrupted", (*TASK, INTERRUPTION, SessionPaused(by="bo")), AwaitResume()),
    ("a model call is a point", (*TASK, BEFORE_STEP), StopAt(Point("before:step", "before", 1))),
    ("a point is passed", (*TASK, BEFORE_STEP, AT_CALL_1, SessionResumed(by="bo")), CallModel(1, 4)),
    ("the next call is another point", (*TASK, BEFORE_STEP, AT_CALL_1, SessionResumed(by="bo"), DROP), ANOTHER),
    (
        "calls are a point",
        (*CALLS, BEFORE_WRITE),
        StopAt(Point("before:write_*", "before", 1, ("write_file",), ("b",))),
    ),
    (
        "what has begun is none",
        (*CALLS, begun("b", "write_file"), completed("a"), BEFORE_WRITE),
        SettleCalls((PendingCall("b", "write_file", "write_file b", "begun"),)),
    ),
    (
        "a round is over",
        (*TASK, AFTER_READ, replied(use("a")), completed("a")),
        StopAt(Point("after:read_file", "after", 1, ("read_file",))),
    ),
    ("what was over before is no point", (*TASK, replied(use("a")), completed("a"), AFTER_READ), CallModel(2, 4)),
    (
        "one step was one model call",
        (*TASK, SessionPaused(by="bo"), SessionStepped(by="bo"), replied(use("a"))),
        StopAt(Point("one-step", "after", 1)),
    ),
    (
        "one step goes past breakpoints",
        (*TASK, BEFORE_STEP, SessionPaused(by="bo"), SessionStepped(by="bo")),
        CallModel(1, 4),
    ),
)


@pytest.mark.parametrize(("events", "step"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS])
def test_what_a_steered_session_does_next(events: tuple[AnyEvent, ...], step: Step) -> None:
    """Given these events, this is the step."""
    assert next_step(session_of(*events), START) == step


def test_an_interruption_stops_calls_even_where_somebody_speaks_at_once() -> None:
    """The message does not save what was interrupted before it."""
    session = session_of(*CALLS, INTERRUPTION, said("so?"))
    assert next_step(session, START) == StopCalls(tuple(session.pending.values()))


@pytest.mark.parametrize(
    "end",
    [SessionTerminationRequested(by="bo"), BudgetExceeded(limit="runtime", allowed=1, used=2)],
    ids=["terminated", "at its limit"],
)
def test_an_old_end_leaves_calls_as_they_were(end: SessionTerminationRequested | BudgetExceeded) -> None:
    """What 0.2.0 wrote asks for no outcomes; what is written today does."""
    old, new = (end.model_copy(update={"orderly": orderly}) for orderly in (False, True))
    assert isinstance(next_step(session_of(*CALLS, old), START), Finish)
    assert isinstance(next_step(session_of(*CALLS, new), START), StopCalls)


@pytest.mark.parametrize(
    ("events", "request_", "problem"),
    [
        ((*TASK, INTERRUPTION), Interrupt(), "the session is interrupted already"),
        ((*CHAT, replied("ok")), Interrupt(), "nothing runs: the session waits for a message"),
        ((*TASK, SessionTerminationRequested(by="bo")), Interrupt(), "the session is ending already"),
        ((*TASK, SessionTerminationRequested(by="bo")), Steer(message="no"), "the session is ending already"),
        (TASK, StepOnce(), "the session is not paused"),
        ((*TASK, BEFORE_STEP), SetBreakpoint(), "there is a breakpoint 'before:step' already"),
        (TASK, SetBreakpoint(id="one-step"), "a breakpoint cannot be called 'one-step'"),
        (TASK, ClearBreakpoint(), "no breakpoint is set"),
        ((*TASK, BEFORE_STEP), ClearBreakpoint(id="x"), "no breakpoint 'x' is set (there are: before:step)"),
        ((*CALLS, begun("a")), Skip(call_id="a"), "the call has begun"),
        ((*CALLS, completed("a")), Skip(call_id="a"), "the call has its outcome already"),
        ((*TASK, INTERRUPTION), Close(reason="success", summary="done"), "the session was interrupted"),
    ],
)
def test_a_session_that_cannot_be_steered_like_this_says_why(
    events: tuple[AnyEvent, ...], request_: Request, problem: str
) -> None:
    """The refusal names what is wrong."""
    assert refusal(session_of(*events), request_) == problem
