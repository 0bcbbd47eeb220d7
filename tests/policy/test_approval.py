"""How a person must be asked: what rules say of it, who is meant by a name, and what holds where several want it."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from eventlog.approval_terms import ApprovalTerms, Escalation
from policy.approval import Approval, combined, in_words, is_content, is_covered, refuses_consent, refuses_person
from policy.call import Call, Hint
from policy.cases import try_cases
from policy.files import Policies, read_policy
from policy.mistakes import InvalidFile
from policy.persons import fits, is_named, person
from policy.rules import Policy
from tests.policy.rulebook import decide, layer, policy

for_all = settings(max_examples=150, deadline=None, database=None, derandomize=True)

NAMES = ("ana", "bo", "boss", "cy", "anonymous")
groups = st.sampled_from(((), (("ana", "bo"),), (("b*",),), (("ana",), ("*a*",)), (("cy",),)))
levels = st.lists(st.builds(Escalation, approvers=groups, timeout=st.sampled_from((1, 5))), max_size=3).map(tuple)
terms = st.builds(
    ApprovalTerms,
    quorum=st.integers(1, 3),
    approvers=groups,
    self_approval=st.booleans(),
    timeout=st.sampled_from((None, 3, 9)),
    escalation=levels,
    on_expiry=st.sampled_from(("allow", "allow", "deny")),
    token=st.booleans(),
)
several = st.lists(terms, min_size=1, max_size=4)


def meaning(of: ApprovalTerms) -> object:
    """The terms, whatever order their lists of names are in."""
    whole = of.model_dump()
    whole["approvers"] = set(of.approvers)
    whole["escalation"] = [(set(level.approvers), level.timeout) for level in of.escalation]
    return whole


@for_all
@given(several, st.data())
def test_where_several_ask_it_is_as_strict_as_each_of_them(asking: list[ApprovalTerms], data: st.DataObject) -> None:
    """More people, fewer who may, no later and no longer; nobody's answer is a yes only where all want that."""
    both = combined(asking)
    name, level = data.draw(st.sampled_from(NAMES)), data.draw(st.integers(0, len(both.escalation)))
    for each in asking:
        its = level if each.escalation else 0
        assert both.quorum >= each.quorum
        assert refuses_person(both, level, name) is not None or refuses_person(each, its, name) is None
        assert refuses_consent(both, level, name, "ana") is not None or refuses_consent(each, its, name, "ana") is None
        assert each.timeout is None or (both.timeout is not None and both.timeout <= each.timeout)
        assert not each.escalation or len(both.escalation) <= len(each.escalation)
        assert both.on_expiry == "deny" or each.on_expiry == "allow"
        assert both.token or not each.token
        assert is_covered(both, each)


@for_all
@given(several, st.randoms())
def test_the_order_in_which_several_ask_makes_no_difference(asking: list[ApprovalTerms], random: Any) -> None:
    """Nor does asking twice, nor who is heard together with whom."""
    shuffled = [*asking, *asking[:1]]
    random.shuffle(shuffled)
    assert meaning(combined(asking)) == meaning(combined(shuffled))
    cut = random.randint(0, len(asking) - 1)
    parts = [combined(asking[: cut + 1]), *([combined(asking[cut + 1 :])] if asking[cut + 1 :] else [])]
    assert meaning(combined(parts)) == meaning(combined(asking))


approvals = st.fixed_dictionaries(
    {},
    optional={
        "quorum": st.integers(1, 3),
        "approvers": st.sampled_from((["ana", "b*"], ["b*"])),
        "self_approval": st.booleans(),
        "timeout": st.sampled_from((60, "8h")),
        "on_expiry": st.sampled_from(("deny", "allow")),
        "token": st.booleans(),
    },
)
rules = st.lists(
    st.fixed_dictionaries(
        {"decision": st.just("ask"), "approval": approvals, "where": st.sampled_from(({"path": "a", "equals": 1},))}
    )
    | st.just({"decision": "allow", "tools": "other"}),
    max_size=3,
)


@for_all
@given(st.lists(rules, min_size=1, max_size=3), st.sampled_from(({"a": 1}, {"a": "one"}, {})))
def test_another_layer_never_loosens_how_it_is_asked(
    made: list[list[dict[str, Any]]], arguments: dict[str, Any]
) -> None:
    """Whatever layers lie beneath, and whether a rule matches or cannot be told to."""
    layers = [layer(*rules, name=f"l{number}") for number, rules in enumerate(made)]
    call = Call("pay", arguments)
    whole = decide(policy(*layers), call)
    for each in layers:
        alone = decide(each, call)
        if alone.decision == "ask":
            assert whole.decision == "ask"
            assert is_covered(whole.approval, alone.approval)
            assert whole.approval.on_expiry == "deny" or alone.approval.on_expiry == "allow"


def test_an_author_who_asks_is_not_answered_by_nobody() -> None:
    """A rule that lets a call run unanswered does so only where it alone wants the question."""
    asks = layer({"decision": "ask", "approval": {"on_expiry": "allow"}})
    assert decide(asks, Call("pay")).approval.on_expiry == "allow"
    assert decide(asks, Call("pay", hint=Hint("ask", "it pays"))).approval.on_expiry == "deny"


def test_policies_without_approvals_are_recorded_as_they_were() -> None:
    """So that their digests stay, and threads that began before have the policy they had."""
    recorded = policy(layer({"decision": "ask"})).recorded()
    assert "approval" not in recorded["layers"][0]["rules"][0]


def test_an_approval_is_recorded_with_its_policy() -> None:
    """Times as seconds, and names as lists; read again it says the same."""
    approval = {"approvers": "ana", "timeout": "8h", "escalation": [{"approvers": "b*", "timeout": "2d"}]}
    made = policy(layer({"decision": "ask", "approval": approval}))
    assert Policy.read(made.recorded()) == made
    [rule] = made.layers[0].rules
    assert rule.terms == ApprovalTerms(
        approvers=(("ana",),),
        timeout=8 * 3600,
        escalation=(Escalation(approvers=(("b*",),), timeout=2 * 86400),),
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ana", "Ana", True),
        (" ana  b ", "ana b", True),
        ("b\u200bo", "bo", True),
        ("\uff42\uff4f", "bo", True),
        ("STRASSE", "straße", True),
        ("b\ufe0fo", "bo", True),
        ("bo\u3164", "bo", True),
        ("b\x01o", "bo", True),
        ("a\u200b\u0301", "á", True),
        ("ana", "anna", False),
        ("ana", "ana b", False),
    ],
)
def test_names_are_compared_as_people_read_them(one: str, other: str, same: bool) -> None:
    """Case, spaces, and what cannot be seen make nobody two people."""
    assert (person(one) == person(other)) is same


@pytest.mark.parametrize("name", ["", " ", "anonymous", "Unknown", "\u200b"])
def test_some_names_say_nothing_of_who_somebody_is(name: str) -> None:
    """They count for nobody where it matters who answers."""
    assert not is_named(name)
    assert refuses_person(ApprovalTerms(quorum=2), 0, name) is not None
    assert refuses_person(ApprovalTerms(), 0, name) is None


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("ana", "Ana", True),
        ("*@finance.example", "bo@Finance.example", True),
        ("*@finance.example", "bo@finance.example.org", False),
        ("b?", "bo", True),
        ("b?", "bob", False),
        ("*", "x", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-b-b", False),
        ("[ab]", "a", False),
    ],
)
def test_a_pattern_means_names(pattern: str, name: str, meant: bool) -> None:
    """An asterisk is any characters, a question mark is one, everything else is itself."""
    assert fits((pattern,), name) is meant


def test_a_pattern_of_many_asterisks_takes_no_time() -> None:
    """However it is written, and whatever it is held against."""
    assert not fits(("*a" * 90 + "b",), "a" * 200)


def test_the_same_person_under_two_names_is_one() -> None:
    """So that nobody makes a quorum of themselves."""
    assert not is_content(ApprovalTerms(quorum=2), ["ana", "ANA "], "ben", shown=False)
    assert is_content(ApprovalTerms(quorum=2), ["ana", "bo"], "ben", shown=False)
    assert not is_content(ApprovalTerms(token=True), ["ana"], "ben", shown=False)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"quorum": 2, "approvers": "b*"}, "2 people, of b*"),
        ({"self_approval": False, "timeout": "90m"}, "not who started the thread, within 90m"),
        ({"timeout": 5, "on_expiry": "allow", "token": True}, "with its token, within 5s, then allowed"),
    ],
)
def test_terms_are_told_in_words(given: dict[str, Any], words: str) -> None:
    """What goes without saying is not said."""
    assert in_words(Approval.model_validate(given).terms()) == words


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"quorum": 0}, "greater than or equal to 1"),
        ({"quorum": 2, "approvers": ["ana", "Ana"]}, "1 of these can answer, and 2 must"),
        ({"approvers": "anonymous"}, "0 of these can answer"),
        ({"timeout": "soon"}, "90s, 15m, 8h, 7d"),
        ({"timeout": 0}, "greater than 0"),
        ({"escalation": [{"approvers": "bo"}]}, "Field required"),
        ({"escalation": [{"timeout": 1}] * 11}, "at most 10"),
        ({"on_expiry": "run"}, "'deny' or 'allow'"),
    ],
)
def test_terms_that_nobody_could_keep_are_refused(given: dict[str, Any], problem: str) -> None:
    """In words, when they are written down, and not when somebody waits for an answer."""
    with pytest.raises(ValidationError, match=problem):
        Approval.model_validate(given)


def test_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    """As all others in a policy."""
    text = """\
        rules:
          - {id: a, decision: allow, tools: x, approval: {quorum: 2}}
          - id: b
            decision: ask
            approval:
              quorums: 2
              escalation: [{approver: boss, timeout: 1h}]
    """
    file = tmp_path / "broken.yaml"
    file.write_text(dedent(text), encoding="utf-8")
    with pytest.raises(InvalidFile) as caught:
        read_policy(file)
    assert [line.removeprefix(f"{file}:") for line in caught.value.lines] == [
        "2:5: rules: approval says how a person is asked: write decision: ask, not allow",
        "6:7: there is no key 'quorums' here: did you mean quorum?",
        "7:21: there is no key 'approver' here: did you mean approvers?",
    ]


def test_a_case_may_say_how_it_is_asked(tmp_path: Path) -> None:
    """Exactly so, or the case has failed."""
    (tmp_path / "pay.yaml").write_text("rules: [{id: r, decision: ask, approval: {quorum: 2}}]", encoding="utf-8")
    cases = tmp_path / "pay.cases.yaml"
    cases.write_text(
        dedent("""
            policy: ./pay.yaml
            cases:
              - {tool: pay, expect: ask, approval: {quorum: 2}}
              - {tool: pay, expect: ask, approval: {quorum: 3}}
              - {tool: pay, expect: ask}
        """),
        encoding="utf-8",
    )

    tried = try_cases(cases, Policies(None))
    assert [each.passed for each in tried] == [True, False, True]
    assert (tried[1].expected, tried[1].said) == ("ask (3 people)", "ask by r of pay (2 people)")
