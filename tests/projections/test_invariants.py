"""What holds of every stream, and that each rule notices where it does not."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eventlog.approval_terms import ApprovalTerms, Escalation
from eventlog.events import (
    AnyEvent,
    BudgetExceeded,
    BudgetRaised,
    BudgetRefused,
    ErrorOccurred,
    HumanInputProvided,
    RequestIgnored,
    SessionCompleted,
    SessionPaused,
    SessionTerminationRequested,
    StreamRepaired,
    UnknownEvent,
)
from eventlog.inquiries import Verdict
from eventlog.log import Recorded
from eventlog.raises import Raise
from eventlog.terms import CompletionReason, Limits
from projections.evolution import SESSION
from projections.fold import fold
from projections.invariants.catalogue import INVARIANTS, breaches
from projections.invariants.invariant import Moment
from projections.invariants.views import ViewsAgree
from projections.review import FINAL
from tests.projections.facts import (
    answered,
    asked,
    asked_under,
    asking,
    begun,
    completed,
    escalated,
    expired,
    granted,
    inquired,
    model_failed,
    recorded,
    remembered,
    replied,
    reused,
    ruled,
    said,
    started,
    tool_failed,
    unknown,
    use,
    voted,
)
from tests.projections.facts import given as stream
from tests.projections.streams import Story, stories

for_every_story = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


PAIR = ApprovalTerms(quorum=2)
PASSED = ApprovalTerms(escalation=(Escalation(approvers=(("b*",),), timeout=9),))


def over(reason: CompletionReason = "success") -> SessionCompleted:
    """The session ends."""
    return SessionCompleted(completion_reason=reason, summary="it is over")


ASKED = (started(), said("hi"), asking(1, 1))
CALLED = (*ASKED, replied(use("a"), use("b"), at=1))
ANSWERED = (*ASKED, replied("Done.", at=1))
REVIEWED = (started().model_copy(update={"review": True}), *ASKED[1:])
PUT_UP = (inquired(FINAL, action="review").model_copy(update={"step": 1}),)


def accepted(verdict: Verdict = "accept") -> HumanInputProvided:
    """A person says what becomes of the final answer."""
    return answered(FINAL, None, action="review", verdict=verdict, step=1)


@for_every_story
@given(story=stories(zombies_write=False), data=st.data())
def test_a_legal_stream_is_legal_at_every_cut(story: Story, data: st.DataObject) -> None:
    """Whatever is played, no rule is broken, in the whole or in any beginning of it."""
    assert list(breaches(story.log)) == []
    cut = data.draw(st.integers(0, len(story.log)))
    assert list(breaches(story.log[:cut])) == []


@for_every_story
@given(story=stories(zombies_write=False), data=st.data())
def test_what_is_found_in_a_beginning_is_found_in_the_whole(story: Story, data: st.DataObject) -> None:
    """Rules judge an event by those before it, so that of a broken stream each cut has its part of the breaches."""
    broken = damaged(story.log, data)
    cut = data.draw(st.integers(0, len(broken)))
    assert list(breaches(broken[:cut])) == [each for each in breaches(broken) if each.position < cut]


@for_every_story
@given(story=stories(zombies_write=False), data=st.data())
def test_a_lost_event_is_noticed(story: Story, data: st.DataObject) -> None:
    """An event that is taken out leaves a gap, unless it was the last; two that are exchanged are out of order."""
    lost = data.draw(st.integers(0, len(story.log) - 2))
    assert list(breaches([*story.log[:lost], *story.log[lost + 1 :]]))
    exchanged = [*story.log[:lost], story.log[lost + 1], story.log[lost], *story.log[lost + 2 :]]
    assert list(breaches(exchanged))


def damaged(log: Sequence[Recorded], data: st.DataObject) -> list[Recorded]:
    """The stream with some events taken out, and numbered as if they had never been there."""
    kept = [each for each in log if not data.draw(st.booleans())]
    return [replace(each, position=position) for position, each in enumerate(kept)]


LEGAL: dict[str, tuple[AnyEvent, ...]] = {
    "a stranger's event": (*ASKED, UnknownEvent(type_name="Later", data={})),
    "late requests": (*ANSWERED, over(), RequestIgnored(request="pause", by="ana", problem="over")),
    "an end that let go of a call": (*CALLED, begun("a"), over("terminated"), completed("a", "late")),
    "an end that let go of the model": (*ASKED, over("limit"), replied("late", at=1)),
    "a repaired end": (
        *CALLED,
        StreamRepaired(what="EndIsTold", why="it had none", by="ana"),
        over("failure"),
    ),
    "a call that failed before it began": (*CALLED, tool_failed("a", kind="invalid_arguments")),
    "a call that the policy allows": (*CALLED, ruled("a", "warn"), begun("a")),
    "a call that the policy denies": (*CALLED, ruled("a", "deny"), tool_failed("a", kind="denied_by_policy")),
    "a call that two people allowed": (*CALLED, asked_under("a", PAIR), voted("a", "cy"), granted("a"), begun("a")),
    "a call that a second group allowed": (*CALLED, asked_under("a", PASSED), escalated("a", 1, "b*"), granted("a")),
    "a call that nobody's answer allowed": (
        *(*CALLED, asked_under("a", ApprovalTerms(on_expiry="allow"))),
        *(expired("a").model_copy(update={"action": "allow"}), begun("a"), completed("a", "ok")),
    ),
    "a call that was allowed before": (
        *(*CALLED, asked("a"), remembered("a"), reused("b", 5, name="read_file"), begun("b"), completed("b", "ok")),
    ),
    "a call that a person allowed": (*CALLED, ruled("a", "ask"), asked("a"), granted("a"), begun("a")),
    "other arguments than were denied": (
        *CALLED,
        ruled("a", "deny"),
        ruled("a", "allow").model_copy(update={"digest": "other"}),
        begun("a").model_copy(update={"digest": "other"}),
    ),
    "a decision that came too late": (*CALLED, tool_failed("a", kind="crashed"), ruled("a", "deny")),
    "a decision after the end": (*CALLED, over("terminated"), ruled("a", "deny")),
    "a question that is answered": (*CALLED, inquired("a"), answered("a")),
    "an answer that a person accepted": (*REVIEWED, replied("Done.", at=1), *PUT_UP, accepted(), over()),
    "an answer that was sent back": (*REVIEWED, replied("Done.", at=1), *PUT_UP, accepted("send_back"), asking(2, 5)),
    "a question that had to be allowed": (*CALLED, ruled("a", "ask"), asked("a"), granted("a"), inquired("a")),
    "an intent that came too late": (*CALLED, tool_failed("a", kind="crashed"), begun("a")),
    "a step that is asked for again": (*ASKED, asking(1, 1), replied("Done.", at=1)),
}


@pytest.mark.parametrize("events", LEGAL.values(), ids=LEGAL)
def test_what_may_happen_is_legal(events: tuple[AnyEvent, ...]) -> None:
    """Crashes, strangers and late writers break no rule."""
    assert list(breaches(stream(*events))) == []


TWO = asked_under("a", ApprovalTerms(quorum=2, self_approval=False))
NEXT = asked_under("a", ApprovalTerms(escalation=(Escalation(approvers=(("boss",),), timeout=9),)))
ALLOWED = expired("a").model_copy(update={"action": "allow"})

BROKEN: list[tuple[str, Sequence[Recorded], str]] = [
    ("QuorumsAreMet", stream(*CALLED, TWO, granted("a")), "by 1 of the 2 people who must"),
    ("QuorumsAreMet", stream(*CALLED, TWO, voted("a"), voted("a", "BO")), "BO allows call a twice"),
    ("QuorumsAreMet", stream(*CALLED, TWO, voted("a", "Ana")), "Ana has started this thread"),
    (
        "QuorumsAreMet",
        stream(*CALLED, TWO, voted("a", "cy"), voted("a", "di", edited={}), granted("a")),
        "by 1 of the 2 people who must",
    ),
    ("QuorumsAreMet", stream(*CALLED, NEXT, escalated("a", 1, "boss"), granted("a")), "bo is not among those"),
    ("EscalationsFollowEachOther", stream(*CALLED, NEXT, expired("a")), "expires at level 0 of 1"),
    ("EscalationsFollowEachOther", stream(*CALLED, NEXT, escalated("a", 2, "boss")), "from level 0 of 1 to 2"),
    ("EscalationsFollowEachOther", stream(*CALLED, NEXT, escalated("a", 1, "cy")), "to others than was agreed"),
    ("EscalationsFollowEachOther", stream(*CALLED, asked("a"), ALLOWED), "is to deny call a, not to allow it"),
    ("ReusesRestOnGrants", stream(*CALLED, reused("a", 1)), "no approval for calls to come stands there"),
    ("ReusesRestOnGrants", stream(*CALLED, asked("a"), granted("a"), reused("b", 5)), "no approval for calls to come"),
    ("ReusesRestOnGrants", stream(*CALLED, asked("a"), remembered("a"), reused("b", 5)), "it covers other calls"),
    (
        "ReusesRestOnGrants",
        stream(*CALLED, asked("a"), remembered("a", thread="t-2"), reused("b", 5, name="read_file")),
        "an approval of thread t-2",
    ),
    (
        "ReusesRestOnGrants",
        stream(*CALLED, asked("a"), remembered("a", "arguments"), reused("b", 5, scope="arguments", name="read_file")),
        "it covers other arguments",
    ),
    ("PositionsAreContiguous", [*stream(*ASKED), recorded(4, said("and?"))], "position 4, the next one is 3"),
    ("PositionsAreContiguous", [*stream(*ASKED), recorded(2, said("and?"))], "position 2, the next one is 3"),
    ("BeginsOnce", stream(said("hi")), "begins with UserMessageAdded"),
    ("BeginsOnce", stream(UnknownEvent(type_name="Odd", data={})), "begins with Odd"),
    ("BeginsOnce", stream(started(), started()), "a second time"),
    ("BeginsOnce", stream(started().model_copy(update={"thread_id": "a b"})), "of thread a b"),
    ("IdsAreUnique", [recorded(0, started()), replace(recorded(1, said("hi")), id=UUID(int=1))], "already"),
    ("StepsFollowEachOther", stream(*ASKED, asking(3, 1)), "call 3 while 1 is due"),
    ("StepsFollowEachOther", stream(*ASKED, asking(0, 1)), "call 0 while 1 is due"),
    ("StepsFollowEachOther", stream(*ANSWERED, asking(2, 3), model_failed(3)), "call 3 while 2 is due"),
    ("ModelCallsEndOnce", stream(*ANSWERED, replied("Again.", at=1)), "another"),
    ("ModelCallsEndOnce", stream(*ASKED, model_failed(1), replied("Late.", at=1)), "another"),
    ("RepliesWereAskedFor", stream(started(), said("hi"), replied("Done.", at=1)), "nobody declared"),
    ("RepliesWereAskedFor", stream(*ASKED, replied("Done.", at=0)), "at position 0"),
    ("RepliesWereAskedFor", stream(started(), said("hi"), asking(1, 2)), "up to 2"),
    ("CallsAreOpen", stream(*CALLED, begun("c")), "call c, which is not open"),
    ("CallsAreOpen", stream(*CALLED, begun("a"), completed("a"), completed("a")), "over already"),
    ("CallsAreOpen", stream(*CALLED, asked("a"), expired("a"), begun("a")), "over already"),
    ("CallsAreOpen", stream(*CALLED, tool_failed("a"), begun("a"), completed("a")), "over already"),
    ("ToolsBeginOnce", stream(*CALLED, begun("a"), begun("a")), "a second time"),
    ("ToolsBeginOnce", stream(*CALLED, asked("a"), begun("a")), "nobody has allowed"),
    ("CallsAreOpen", stream(*CALLED, ruled("c", "deny")), "call c, which is not open"),
    ("PoliciesAreObeyed", stream(*CALLED, ruled("a", "deny"), begun("a")), "though the policy denies it"),
    ("PoliciesAreObeyed", stream(*CALLED, ruled("a", "ask"), begun("a")), "nobody was"),
    ("ResultsHaveIntents", stream(*CALLED, completed("a")), "never begun"),
    ("ResultsHaveIntents", stream(*CALLED, unknown("a")), "never begun"),
    ("ResultsHaveIntents", stream(*CALLED, tool_failed("a", will_retry=True)), "never begun"),
    ("ApprovalsAreSpentOnce", stream(*CALLED, asked("a"), asked("a")), "asked already"),
    ("ApprovalsAreSpentOnce", stream(*CALLED, granted("a")), "it is wanted"),
    ("ApprovalsAreSpentOnce", stream(*CALLED, asked("a"), granted("a"), granted("a")), "it is granted"),
    (
        "ApprovalsAreSpentOnce",
        stream(*CALLED, asked("a"), granted("a").model_copy(update={"digest": "other"})),
        "other arguments",
    ),
    ("ToolsBeginOnce", stream(*CALLED, inquired("a"), begun("a")), "a question to a person"),
    ("CallsAreOpen", stream(*CALLED, inquired("a"), answered("a"), answered("a")), "over already"),
    ("AnswersAreReviewed", stream(*ANSWERED, *PUT_UP), "not due"),
    ("AnswersAreReviewed", stream(*REVIEWED, replied("Done.", at=1), accepted()), "not open"),
    ("AnswersAreReviewed", stream(*REVIEWED, replied("Done.", at=1), over()), "nobody has accepted"),
    ("QuestionsAreAnsweredOnce", stream(*CALLED, inquired("a"), inquired("a")), "inquired already"),
    ("QuestionsAreAnsweredOnce", stream(*CALLED, asked("a"), inquired("a")), "asked already"),
    ("QuestionsAreAnsweredOnce", stream(*CALLED, answered("a")), "it is wanted"),
    ("TheEndLeavesNothingOpen", stream(*CALLED, begun("a"), over()), "open calls: a, b"),
    ("TheEndLeavesNothingOpen", stream(*CALLED, over("failure")), "open calls: a, b"),
    (
        "TheEndLeavesNothingOpen",
        stream(*CALLED, SessionTerminationRequested(by="ana", orderly=True), over("terminated")),
        "open calls: a, b",
    ),
    (
        "TheEndLeavesNothingOpen",
        stream(*CALLED, BudgetExceeded(limit="runtime", allowed=1, used=2, orderly=True), over("limit")),
        "open calls: a, b",
    ),
    ("TheEndLeavesNothingOpen", stream(*ANSWERED, said("and?"), over()), "position 4 has no answer"),
    ("NothingFollowsTheEnd", stream(*ANSWERED, over(), over("timeout")), "ends again"),
    ("NothingFollowsTheEnd", stream(*ANSWERED, over(), said("hm")), "UserMessageAdded comes after"),
    ("NothingFollowsTheEnd", stream(*ANSWERED, over("terminated"), SessionPaused(by="ana")), "SessionPaused"),
    ("NothingFollowsTheEnd", stream(*ANSWERED, over(), asking(2, 4)), "LLMCallRequested"),
    (
        "LimitsHold",
        stream(started(limits=Limits(turns=1)), *ANSWERED[1:], said("and?"), asking(2, 4), replied("x", step=2, at=4)),
        "turn 2 of 1",
    ),
    (
        "LimitsHold",
        stream(started(limits=Limits(tool_calls=1)), *CALLED[1:], begun("a")),
        "2 calls of 1",
    ),
    (
        "ToolLimitsHold",
        stream(started(limits=Limits(tools={"read_file": 1})), *CALLED[1:], begun("a")),
        "read_file begins although 2 calls of 1",
    ),
    ("BudgetsAreAnsweredOnce", stream(*ANSWERED[:2], BudgetRefused(by="ana", reason="no")), "nobody is asked"),
    (
        "BudgetsAreAnsweredOnce",
        stream(*ANSWERED[:2], BudgetRaised(more=Raise(turns=1), by="ana", account="[]")),
        "of which nobody was asked",
    ),
]


@pytest.mark.parametrize(("name", "log", "words"), BROKEN)
def test_each_rule_notices_what_breaks_it(name: str, log: Sequence[Recorded], words: str) -> None:
    """A stream that breaks a rule at its end is told of with the rule's name, the position and what is wrong."""
    [breach] = [each for each in breaches(log) if each.invariant == name]
    assert breach.position == log[-1].position
    assert words in breach.problem
    assert not list(breaches(log[:-1]))


def test_a_gap_is_told_of_once() -> None:
    """What stands behind it, however much that is, is counted on from there."""
    log = stream(*ASKED, *(ErrorOccurred(error_type="Odd", error_message=str(number)) for number in range(5)))
    [breach] = breaches([*log[:3], *log[4:]])
    assert (breach.invariant, breach.position) == ("PositionsAreContiguous", 4)


def test_a_cause_must_come_first() -> None:
    """An event cannot follow from one that is not there, or from itself; a stranger may say what it likes."""
    log = stream(*ASKED, said("and?"))
    assert not list(breaches([*log[:3], because(log[3], log[1].id)]))
    for cause in (log[3].id, UUID(int=99)):
        [breach] = breaches([*log[:3], because(log[3], cause)])
        assert (breach.invariant, breach.position) == ("CausesComeFirst", 3)
    stranger = recorded(3, UnknownEvent(type_name="Odd", data={}))
    assert not list(breaches([*log[:3], because(stranger, UUID(int=99))]))


def because(event: Recorded, cause: UUID) -> Recorded:
    """The event, following from another."""
    return replace(event, metadata=event.metadata.model_copy(update={"causation_id": cause}))


def test_views_that_differ_are_noticed() -> None:
    """A session that has come to another step, or knows of other calls, than what the model is shown is told of."""
    log, rule = stream(*CALLED, begun("a")), ViewsAgree()
    sessions = [fold(SESSION, log[:index]) for index in range(len(log))]
    for index, session in enumerate(sessions):
        assert not list(rule.breaks(Moment(index, log[index], session)))
    further = recorded(len(log), ErrorOccurred(error_type="Odd", error_message="odd"))
    told = rule.breaks(Moment(len(log), further, replace(sessions[-1], steps=2)))
    assert ["step and position" in next(told), "'begun'" in next(told)] == [True, True]


def test_every_rule_is_tested() -> None:
    """No rule is without a stream that breaks it."""
    assert {kind.__name__ for kind in INVARIANTS} - {name for name, _, _ in BROKEN} == {"CausesComeFirst", "ViewsAgree"}


def test_what_is_over_for_a_limit_is_legal() -> None:
    """A limit that was reached left calls open, up to 0.2.0."""
    events = (*CALLED, BudgetExceeded(limit="runtime", allowed=1, used=2), over("limit"))
    assert not list(breaches(stream(*events, ErrorOccurred(error_type="Odd", error_message="odd"))))
