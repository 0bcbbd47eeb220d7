"""What holds of every legal stream, however model, tools, people and workers behave."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eventlog.events import (
    ApprovalDenied,
    ApprovalExpired,
    LLMCallFailed,
    LLMCallRequested,
    LLMResponseReceived,
    RequestIgnored,
    ToolExecutionRequested,
    UserMessageAdded,
)
from eventlog.marks import Mark, thin
from llm.body import body_of
from llm.messages import Message, ModelRequest
from llm.writing import json_bytes
from projections.composed import compose
from projections.conversation import Reply
from projections.evolution import SESSION, evolve
from projections.fold import Projection, fold
from projections.next_step import CallModel, Ended, next_step
from projections.session import Session
from projections.summary import SUMMARY, describe
from projections.timeline import TIMELINE
from projections.tool_calls import TOOL_CALLS
from projections.transcript import TRANSCRIPT, render
from projections.usage import USAGE
from tests.projections.facts import START
from tests.projections.invariants import broken
from tests.projections.streams import Story, stories

VIEWS: tuple[Projection[Any], ...] = (SESSION, TRANSCRIPT, TOOL_CALLS, USAGE, TIMELINE, SUMMARY)

for_every_story = settings(
    max_examples=120,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
@for_every_story
@given(story=stories(), data=st.data())
def test_a_fold_may_be_cut_anywhere(view: Projection[Any], story: Story, data: st.DataObject) -> None:
    """Folding in two parts, with the seam read twice, is folding whole; so any prefix folds."""
    cut = data.draw(st.integers(0, len(story.log)))
    state = fold(view, story.log[:cut])
    for recorded in story.log[max(0, cut - 3) :]:
        state = view.evolve(state, recorded)
    assert state == fold(view, story.log)


@for_every_story
@given(story=stories())
def test_views_folded_together_are_the_views_folded_alone(story: Story) -> None:
    """A composed view holds what each of its parts would be."""
    together = fold(compose(**{view.name: view for view in VIEWS}), story.log)
    assert together == {view.name: fold(view, story.log) for view in VIEWS}


@for_every_story
@given(story=stories())
def test_content_makes_no_difference_to_the_process(story: Story) -> None:
    """The session of thin events, sent through JSON, is the session of whole ones."""
    thinned = Session()
    for recorded in story.log:
        mark = Mark.model_validate_json(Mark.of(recorded.position, recorded.event).model_dump_json())
        assert mark.event == thin(recorded.event)
        thinned = evolve(thinned, mark.position, mark.event)
    assert thinned == fold(SESSION, story.log)


@for_every_story
@given(story=stories())
def test_the_process_knows_what_the_log_says(story: Story) -> None:
    """Marks that come late and out of order make the same session as the log."""
    stored = fold(SESSION, story.log)
    assert essence(story.process) == essence(stored)
    for call in stored.pending.values():
        assert call.state in ("begun", story.process.pending[call.id].state)


def essence(session: Session) -> Session:
    """A session but for what the process is never told: intents, retries and what was ignored."""
    pending = {id_: replace(call, state="wanted") for id_, call in session.pending.items()}
    return replace(session, position=0, failures=0, pending=pending)


@for_every_story
@given(story=stories())
def test_every_context_fulfils_the_providers_rules(story: Story) -> None:
    """Whenever it is rendered, the context is one the provider takes; before a model call, the model is to speak."""
    transcript = TRANSCRIPT.initial()
    at = {event.at for event in events_of(story) if isinstance(event, LLMCallRequested)}
    for recorded in story.log:
        transcript = TRANSCRIPT.evolve(transcript, recorded)
        if recorded.position > 0:
            request = render(transcript, ())
            assert not broken(request)
            paused = transcript.reply is not None and transcript.reply.paused
            assert recorded.position not in at or asks_for_a_reply(request, paused=paused)


def asks_for_a_reply(request: ModelRequest, *, paused: bool) -> bool:
    """Whether it is the model's turn to speak."""
    return request.messages[-1].role == ("assistant" if paused else "user")


@for_every_story
@given(story=stories())
def test_what_was_sent_is_sent_again_unchanged(story: Story) -> None:
    """Each request begins with the one before; only its last message may have grown: so the provider's cache holds."""
    sent: tuple[Message, ...] = ()
    transcript = TRANSCRIPT.initial()
    at = {event.at for event in events_of(story) if isinstance(event, LLMCallRequested)}
    for recorded in story.log:
        transcript = TRANSCRIPT.evolve(transcript, recorded)
        if recorded.position in at:
            now = render(transcript, ()).messages
            assert is_continued(sent, now)
            sent = now


@for_every_story
@given(story=stories())
def test_what_was_rendered_before_changes_no_request(story: Story) -> None:
    """A transcript rendered at every position gives the very bytes of one that never was; so does its snapshot."""
    transcript = TRANSCRIPT.initial()
    for number, recorded in enumerate(story.log, 1):
        transcript = TRANSCRIPT.evolve(transcript, recorded)
        again, anew = render(transcript, ()), render(fold(TRANSCRIPT, story.log[:number]), ())
        assert again == anew
        assert body_of(again).written == body_of(anew).written == json_bytes(body_of(anew).json)
    assert TRANSCRIPT.codec is not None
    assert TRANSCRIPT.codec.encode(transcript) == TRANSCRIPT.codec.encode(fold(TRANSCRIPT, story.log))


def is_continued(before: tuple[Message, ...], now: tuple[Message, ...]) -> bool:
    """Whether one conversation goes on where the other stopped."""
    if not before:
        return True
    last = before[-1]
    grown = now[len(before) - 1]
    return (
        now[: len(before) - 1] == before[:-1]
        and grown.role == last.role
        and grown.content[: len(last.content)] == last.content
    )


@for_every_story
@given(story=stories())
def test_transcript_and_session_agree(story: Story) -> None:
    """At every moment both count the same replies, and agree on what the last of them had read."""
    session, transcript = Session(), TRANSCRIPT.initial()
    for recorded in story.log:
        session, transcript = SESSION.evolve(session, recorded), TRANSCRIPT.evolve(transcript, recorded)
        replies = sum(isinstance(entry, Reply) for entry in transcript.entries)
        assert (replies, transcript.step, transcript.read) == (session.turns, session.steps, session.answered)


@for_every_story
@given(story=stories())
def test_nobody_is_left_without_an_answer(story: Story) -> None:
    """Where a session ends well or waits for a person, the model has read all that was said, or failed since."""
    session = fold(SESSION, story.log)
    if session.completed == "success" or (
        session.status == "waiting" and not (session.pending or session.waiting_for_answer)
    ):
        heard = max(positions(story, UserMessageAdded))
        assert heard <= session.answered or heard < max(positions(story, LLMCallFailed))


def positions(story: Story, kind: type[Any]) -> list[int]:
    """Where events of a kind stand."""
    return [recorded.position for recorded in story.log if isinstance(recorded.event, kind)]


@for_every_story
@given(story=stories())
def test_no_call_runs_that_must_not(story: Story) -> None:
    """Only calls of whole replies are begun: none that were cut off, refused, denied, unanswered, or begun before."""
    session, may_run = Session(), set[str]()
    for recorded in story.log:
        given_up = session.steps
        session = SESSION.evolve(session, recorded)
        match event := recorded.event:
            case LLMResponseReceived() if event.step > given_up:
                may_run = {call.id for call in event.tool_calls if event.stop_reason == "tool_use"}
            case ToolExecutionRequested():
                assert event.call_id in may_run
                may_run.discard(event.call_id)
            case ApprovalDenied() | ApprovalExpired():
                may_run.discard(event.call_id)
            case _:
                pass


@for_every_story
@given(story=stories())
def test_the_play_ends_or_waits_for_a_person(story: Story) -> None:
    """What is over stays over; what is not waits for somebody."""
    step = next_step(story.process, START)
    assert story.ended == isinstance(step, Ended)
    assert not isinstance(step, CallModel)


@for_every_story
@given(story=stories())
def test_nothing_but_ignored_requests_follows_the_end(story: Story) -> None:
    """After SessionCompleted the log only says what came too late."""
    kinds = [event.type for event in events_of(story)]
    if "SessionCompleted" in kinds:
        late = events_of(story)[kinds.index("SessionCompleted") + 1 :]
        assert all(isinstance(event, RequestIgnored) or event.type in OUTSIDE for event in late)


OUTSIDE = ("UnknownEvent", "ErrorOccurred", "LLMResponseReceived")
"""What others may write at any time: strangers, and processes that were given up."""


@for_every_story
@given(story=stories())
def test_limits_are_overrun_by_one_turn_at_most(story: Story) -> None:
    """Turns are never overrun, tokens by the one reply that was under way, and no call above the limit is run."""
    session = fold(SESSION, story.log)
    limits, events = session.limits, events_of(story)
    largest = max((event.token_usage.total for event in events if isinstance(event, LLMResponseReceived)), default=1)
    run = sum(isinstance(event, ToolExecutionRequested) for event in events)
    assert limits.turns is None or session.turns <= limits.turns
    assert limits.tokens is None or session.tokens < limits.tokens + largest
    assert limits.tool_calls is None or run <= limits.tool_calls


@for_every_story
@given(story=stories())
def test_every_event_has_its_line(story: Story) -> None:
    """The timeline tells of every event in one short line of visible words."""
    lines = fold(TIMELINE, story.log).lines
    assert [line.position for line in lines] == list(range(len(story.log)))
    assert all(line.text and line.actor and line.text.isprintable() for line in lines)
    assert describe(fold(SUMMARY, story.log))


@for_every_story
@given(story=stories())
def test_open_calls_are_the_sessions_pending_calls(story: Story) -> None:
    """The view of arguments and the session agree on what has no outcome yet, at every moment."""
    session, calls = Session(), TOOL_CALLS.initial()
    for recorded in story.log:
        session, calls = SESSION.evolve(session, recorded), TOOL_CALLS.evolve(calls, recorded)
        assert [(call.id, call.state) for call in calls.open.values()] == [
            (call.id, call.state) for call in session.pending.values()
        ]


def events_of(story: Story) -> list[Any]:
    """The story's events alone."""
    return [recorded.event for recorded in story.log]
