"""Circles: when the same calls with the same results are one, and when they are not."""

from collections.abc import Sequence

import pytest
from hypothesis import given as whenever
from hypothesis import strategies as st

from eventlog.events import AnyEvent, LLMResponseReceived, LoopDetected, ModelChanged
from eventlog.terms import LoopStage
from llm.messages import ModelTerms
from projections.fold import fold
from projections.loops import LONGEST_PERIOD, Circle, LoopTerms, circle_of
from projections.session import Session
from projections.transcript import TRANSCRIPT, Transcript
from tests.projections.facts import (
    completed,
    denied,
    given,
    messages_of,
    model_failed,
    replied,
    said,
    session_of,
    started,
    tool_failed,
    use,
)

ROUNDS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=14)


def turn(step: int, word: str, result: str = "fine") -> list[AnyEvent]:
    """A reply with one call, and what came of it."""
    call = f"call_{step}"
    return [replied(use(call, path=word), step=step), completed(call, result)]


def transcript_of(*events: AnyEvent) -> Transcript:
    """The conversation after these events."""
    return fold(TRANSCRIPT, given(started(), said("go"), *events))


def played(words: Sequence[str]) -> Circle | None:
    """The circle that these rounds are."""
    events = [event for step, word in enumerate(words, 1) for event in turn(step, word)]
    return circle_of(transcript_of(*events).entries)


def expected(words: Sequence[str]) -> Circle | None:
    """The same, told slowly: for each period, how often the end repeats itself, where that comes out even."""
    found = []
    for period in range(1, LONGEST_PERIOD + 1):
        longest = max(
            length
            for length in range(len(words) + 1)
            if all(words[-n] == words[-n - period] for n in range(1, length + 1) if n + period <= length)
        )
        if longest % period == 0 and longest // period > 1:
            found.append(Circle(period, longest // period))
    return max(found, key=lambda circle: circle.times, default=None)


@whenever(ROUNDS)
def test_circles_are_what_repeats_itself_at_the_end(words: list[str]) -> None:
    """Of any sequence of rounds, the end is found that is one round said several times, and how often it was said."""
    assert played(words) == expected(words)


@whenever(ROUNDS, st.integers(1, LONGEST_PERIOD), st.integers(2, 6))
def test_whatever_is_repeated_is_found(words: list[str], period: int, times: int) -> None:
    """What came before does not hide it."""
    one = (words * 3)[:period]
    circle = played([*words, "x", *one * times])
    assert circle is not None
    assert circle.times >= times


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ((*turn(1, "a"), *turn(2, "a", "other")), "the result is another"),
        ((*turn(1, "a"), *turn(2, "b")), "the arguments are others"),
        ((*turn(1, "a"), said("go on"), *turn(2, "a")), "a person spoke in between"),
        ((*turn(1, "a"), *turn(2, "a"), said("go on")), "a person has spoken since"),
        ((*turn(1, "a"), replied("hm", step=2, final=False), *turn(3, "a")), "the model said something in between"),
        (
            (
                *turn(1, "a"),
                replied(use("c", path="a"), use("d", path="b"), step=2),
                completed("c", "fine"),
                completed("d", "fine"),
            ),
            "there was another call beside it",
        ),
        ((*turn(1, "a"), replied(use("c", path="a"), step=2), tool_failed("c")), "it failed this time"),
        ((*turn(1, "a"), replied(use("c", path="a"), step=2, stop_reason="max_tokens")), "it was cut off"),
        ((), "nothing was called"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_circle(events: Sequence[AnyEvent], why: str) -> None:
    """Whatever tells the model something new begins anew."""
    assert circle_of(transcript_of(*events).entries) is None, why


def test_failures_and_denials_repeat_too() -> None:
    """The same error is no news either, nor the same no."""
    errors = [
        event
        for step in (1, 2, 3)
        for event in (replied(use(f"c{step}", path="a"), step=step), tool_failed(f"c{step}"))
    ]
    assert circle_of(transcript_of(*errors).entries) == Circle(1, 3)
    noes = [event for step in (1, 2) for event in (replied(use(f"c{step}", path="a"), step=step), denied(f"c{step}"))]
    assert circle_of(transcript_of(*noes).entries) == Circle(1, 2)


@pytest.mark.parametrize(
    ("terms", "stages"),
    [
        (LoopTerms(), {2: None, 3: "told", 4: "told", 5: "asked", 6: "told", 7: "ended", 8: "ended"}),
        (LoopTerms(0, 4, 0), {3: None, 4: "asked", 5: None, 50: None}),
        (LoopTerms(0, 0, 2), {2: "ended"}),
        (LoopTerms(0, 0, 0), {1000: None}),
    ],
)
def test_stages_follow_each_other(terms: LoopTerms, stages: dict[int, LoopStage | None]) -> None:
    """Told, asked, ended: each from its own number of rounds on, and 0 is never."""
    assert {times: terms.stage(Circle(1, times)) for times in stages} == stages
    assert terms.stage(None) is None


def detected(stage: LoopStage) -> LoopDetected:
    """A circle was noticed."""
    return LoopDetected(step=3, stage=stage, period=1, times=3, calls="read_file")


def after(*events: AnyEvent) -> Session:
    """The session after two equal rounds and these events."""
    return session_of(started(), said("go"), *turn(1, "a"), *turn(2, "a"), *events)


def test_a_session_pauses_or_ends_by_its_stage() -> None:
    """Told changes nothing; asked pauses, so that a person can say go on; ended leaves nothing to do."""
    assert not after(detected("told")).paused
    assert after(detected("asked")).paused
    assert "3 times" in after(detected("ended")).stalled
    assert not after(detected("ended"), said("try the other one")).stalled


def test_the_model_reads_it_behind_the_results() -> None:
    """Once, in the message that has the results: what was sent before is sent again unchanged."""
    before = messages_of(started(), said("go"), *turn(1, "a"), *turn(2, "a"))
    told = messages_of(started(), said("go"), *turn(1, "a"), *turn(2, "a"), detected("told"))
    assert told[:-1] == before[:-1]
    assert told[-1][1][:-1] == before[-1][1]
    assert "3 times" in told[-1][1][-1]["text"]
    later = messages_of(started(), said("go"), *turn(1, "a"), *turn(2, "a"), detected("told"), *turn(3, "b"))
    assert later[: len(told)] == told


def changed(name: str, previous: str = "claude-test", *, stand_in: bool = True) -> ModelChanged:
    """Another model is asked."""
    return ModelChanged(model=ModelTerms(name=name), previous=previous, reason="it is away", stand_in=stand_in)


def begun(*fallbacks: str) -> AnyEvent:
    """A session with models that may stand in."""
    return started().model_copy(update={"fallback_models": fallbacks})


@pytest.mark.parametrize(
    ("events", "models"),
    [
        ((begun(),), ("claude-test",)),
        ((begun("b", "c", "b"),), ("claude-test", "b", "c")),
        ((begun("b", "c"), changed("b")), ("claude-test", "b", "c")),
        ((begun("b", "c"), changed("b"), changed("claude-test", "b", stand_in=False)), ("claude-test", "b", "c")),
        ((begun("b", "c"), changed("b", stand_in=False)), ("b", "c")),
        ((begun("b", "c"), changed("cheap", stand_in=False)), ("cheap",)),
    ],
)
def test_a_model_that_stands_in_is_not_the_one_that_is_wanted(
    events: Sequence[AnyEvent], models: tuple[str, ...]
) -> None:
    """The first is taken again when it can be; one that was chosen for good is what is wanted from then on."""
    transcript = fold(TRANSCRIPT, given(*events))
    assert transcript.models == models
    assert transcript.terms is not None
    chosen = [event.model.name for event in events if isinstance(event, ModelChanged)]
    assert transcript.terms.model.name == (chosen[-1] if chosen else "claude-test")


def test_a_changed_model_has_its_own_attempts() -> None:
    """What failed before the change is told apart from what fails after it."""
    session = session_of(
        begun("b"), said("go"), model_failed(will_retry=True), changed("b"), model_failed(will_retry=True)
    )
    assert (session.failures, session.failed_before) == (2, 1)
    answer: LLMResponseReceived = replied("done")
    assert session_of(begun("b"), said("go"), model_failed(will_retry=True), changed("b"), answer).failed_before == 0
