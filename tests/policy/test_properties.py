"""What holds of every policy and every call."""

import json
import posixpath
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.call import STRICTNESS, Call, Decision, Hint
from policy.files import read_policy
from policy.judge import AUTHOR, Judge
from policy.mistakes import InvalidFile
from policy.patterns import Globs
from policy.places import _normal
from policy.rules import MATCHERS, Layer, Policy

for_every = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

NAMES = ["read", "write", "pay"]
KEYS = ["a", "b", "c"]
DECISIONS: list[Decision] = ["allow", "warn", "ask", "deny"]
MOMENTS = [datetime(2026, 11, day, hour, 30, tzinfo=UTC) for day in (21, 23) for hour in (3, 12, 22)]
MONEY = [Decimal(0), Decimal("0.5"), Decimal(2), Decimal("NaN"), Decimal("Infinity")]

scalars: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["x", "xy", "notes/a.md", "../x", "https://a.com/", "", "\ud800", 0, 1, 2.5, True, False]),
    st.integers(-3, 3),
    st.floats(),
)
values = st.recursive(
    st.none() | scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(st.sampled_from(KEYS), values, max_size=3)
numbers = st.sampled_from([0, 1, 2.5])
words = st.sampled_from(["x", "y", "notes"])


def comparisons(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """What may stand beside a path."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "equals": st.sampled_from(["x", 1, True, [1], {"a": 1}]),
        "in": st.lists(st.sampled_from(["x", 1, False]), min_size=1, max_size=2),
        "at_most": numbers,
        "more_than": numbers,
        "starts_with": words,
        "contains": st.sampled_from(["x", 1]),
        "matches": st.sampled_from(["x.*", "[a-z]+", ""]),
        "longer_than": st.integers(0, 2),
        "within": words,
        "host": st.sampled_from(["a.com", "*.com"]),
        "some": inner,
        "every": inner,
    }
    return st.sampled_from(sorted(kinds)).flatmap(lambda kind: kinds[kind].map(lambda value: {kind: value}))


def leaves(inner: st.SearchStrategy[dict[str, Any]], *, exact: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Comparisons at paths; where they need not be exact, also of whether something is there."""
    path = st.sampled_from(["a", "b", "a.b", "c.0"]).map(lambda path: {"path": path})
    plain = st.builds(lambda one, other: {**one, **other}, path, comparisons(inner))
    if exact:
        return plain
    missing = st.builds(lambda leaf, counts: {**leaf, "if_missing": counts}, plain, st.booleans())
    there = st.builds(lambda one, expected: {**one, "exists": expected}, path, st.booleans())
    return plain | missing | there


def conditions(*, exact: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Conditions of all kinds, some deep."""
    base = leaves(st.just({"equals": "x"}), exact=exact)
    return st.recursive(
        base,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"all": parts}),
            st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"any": parts}),
            inner.map(lambda part: {"not": part}),
            leaves(inner, exact=exact),
        ),
        max_leaves=4,
    )


def rules(*, exact: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Rules that look at this and that."""
    patterns = st.sampled_from(["read", "re*", "*", "?ay", "x"])
    amount = st.sampled_from([{"at_most": 1}, {"more_than": 0.5}, {"at_least": "0", "less_than": 2}])
    optional: dict[str, st.SearchStrategy[Any]] = {
        "tools": patterns,
        "effects": st.sampled_from([["read_only"], ["unsafe", "idempotent"]]),
        "risks": st.just(["high"]),
        "tenants": patterns,
        "principals": patterns,
        "models": patterns,
        "times": st.sampled_from(
            [{"days": "sat", "zone": "UTC"}, {"hours": "22:00-04:00", "zone": "Europe/Berlin", "days": "mon-fri"}]
        ),
        "cost": amount,
        "spent": amount,
        "where": conditions(exact=exact),
        "reason": st.just("because"),
    }

    def looking_at(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries(
            {"decision": st.sampled_from(DECISIONS), **{name: optional[name] for name in names}}
        )

    # A rule that looks at much hardly ever matches, and then shows nothing.
    return st.lists(st.sampled_from(sorted(optional)), max_size=2, unique=True).flatmap(looking_at)


def layers(*, exact: bool = False) -> st.SearchStrategy[Layer]:
    """Layers of a few rules."""

    def made(given: list[dict[str, Any]], default: Decision, tenants: str | None) -> Layer:
        narrow = [rule for rule in given[:-1] if not rule.keys().isdisjoint(MATCHERS)] + given[-1:]
        numbered = [{"id": f"r{number}", **rule} for number, rule in enumerate(narrow)]
        return Layer.model_validate({"name": "l", "default": default, "tenants": tenants, "rules": numbered})

    tenants = st.sampled_from([None, None, "re*"])
    return st.builds(made, st.lists(rules(exact=exact), max_size=4), st.sampled_from(DECISIONS), tenants)


def policies(*, exact: bool = False) -> st.SearchStrategy[Policy]:
    """Policies of a few layers."""

    def made(given: list[Layer]) -> Policy:
        named = tuple(layer.model_copy(update={"name": f"l{number}"}) for number, layer in enumerate(given))
        return Policy(name="p", layers=named)

    return st.lists(layers(exact=exact), min_size=1, max_size=3).map(made)


def maybe(*given: object) -> st.SearchStrategy[Any]:
    """One of these, or unknown."""
    return st.sampled_from([None, *given])


known_calls = st.builds(
    Call,
    tool=st.sampled_from(NAMES),
    arguments=st.fixed_dictionaries(dict.fromkeys(KEYS, values)),
    effect=st.sampled_from(["read_only", "unsafe"]),
    risk=st.sampled_from(["low", "high"]),
    tenant=st.sampled_from(NAMES),
    principal=st.sampled_from(NAMES),
    model=st.sampled_from(NAMES),
    time=st.sampled_from(MOMENTS),
    cost=st.sampled_from(MONEY),
    spent=st.sampled_from(MONEY),
)
"""Calls of which everything is known, and nothing said by the tool's author."""
calls = st.builds(
    Call,
    tool=st.sampled_from(NAMES),
    arguments=arguments,
    effect=maybe("read_only", "unsafe"),
    risk=maybe("low", "high"),
    tenant=maybe(*NAMES),
    principal=maybe(*NAMES),
    model=maybe(*NAMES, "\ud800"),
    time=maybe(*MOMENTS),
    cost=maybe(*MONEY),
    spent=maybe(*MONEY),
    hint=maybe(None, None, Hint("ask", "careful"), Hint("deny", "never"), Hint("allow", "harmless")),
)


def strictness(policy: Policy, call: Call) -> int:
    """How strict the verdict is."""
    return STRICTNESS[Judge(policy).decide(call).decision]


@for_every
@given(policies(), calls)
def test_every_call_gets_the_same_verdict_again(policy: Policy, call: Call) -> None:
    """Whatever is asked, there is an answer with a reason, and it is always the same."""
    judge = Judge(policy)
    verdict = judge.decide(call)
    assert verdict == judge.decide(call) == Judge(policy).decide(call)
    assert verdict.reason


@for_every
@given(policies(), layers(), st.booleans(), calls)
def test_a_layer_never_loosens(policy: Policy, layer: Layer, beneath: bool, call: Call) -> None:
    """With a layer more, above or beneath, no call is allowed that was not allowed before."""
    other = Policy(name="other", layers=(layer.model_copy(update={"name": "added"}),))
    more = policy.over(other) if beneath else other.over(policy)
    assert strictness(more, call) >= max(strictness(policy, call), strictness(other, call))


@for_every
@given(policies(), calls, st.sampled_from(DECISIONS))
def test_an_author_never_loosens(policy: Policy, call: Call, decision: Decision) -> None:
    """Whatever the tool's author says, the verdict is as strict as without it, and as strict as that."""
    alone = replace(call, hint=None)
    hinted = strictness(policy, replace(call, hint=Hint(decision, "said so")))
    assert hinted == max(strictness(policy, alone), STRICTNESS[decision])


@for_every
@given(st.lists(policies(exact=True), min_size=3, max_size=6), known_calls)
def test_not_knowing_never_loosens(given: list[Policy], call: Call) -> None:
    """Whatever is not known of a call, the verdict is as strict as any that knowing it gives."""
    for policy in given:
        judge = Judge(policy)
        known = STRICTNESS[judge.decide(call).decision]
        for fact in ("effect", "risk", "tenant", "principal", "model", "time", "cost", "spent"):
            unknown: dict[str, Any] = {fact: None}
            assert STRICTNESS[judge.decide(replace(call, **unknown)).decision] >= known, fact


@for_every
@given(st.lists(policies(exact=True), min_size=3, max_size=6), known_calls)
def test_a_null_never_loosens(given: list[Policy], call: Call) -> None:
    """With null in an argument's place the verdict is as strict as with any value, but for rules that ask for it."""
    for policy in given:
        judge = Judge(policy)
        known = STRICTNESS[judge.decide(call).decision]
        for key in call.arguments:
            nothing = replace(call, arguments={**call.arguments, key: None})
            assert STRICTNESS[judge.decide(nothing).decision] >= known, key


@for_every
@given(policies(), calls)
def test_what_is_recorded_decides_the_same(policy: Policy, call: Call) -> None:
    """Written as JSON and read again, a policy is equal, has the same digest, and says the same."""
    again = Policy.read(json.loads(json.dumps(policy.recorded())))
    assert (again, again.digest) == (policy, policy.digest)
    assert Judge(again).decide(call) == Judge(policy).decide(call)


@for_every
@given(policies(), calls)
def test_the_explanation_is_of_the_verdict(policy: Policy, call: Call) -> None:
    """The rule that decided is told of as one that counts, and no layer has two that speak for certain."""
    verdict, findings = Judge(policy).decide(call), Judge(policy).explain(call)
    for layer in policy.layers:
        outcomes = [each.outcome for each in findings if each.layer == layer.name]
        assert len(outcomes) == len(layer.rules) + 1
        assert outcomes.count("matched") <= 1
    counting = [each for each in findings if each.outcome in ("matched", "undecided")]
    strictest = max((STRICTNESS[each.decision] for each in counting), default=0)
    assert all(each.why for each in findings)
    if verdict.layer != AUTHOR:
        assert STRICTNESS[verdict.decision] == strictest
        assert not counting or (verdict.layer, verdict.rule) in {(each.layer, each.rule) for each in counting}


@for_every
@given(
    st.lists(st.text(st.sampled_from("ab.*?"), min_size=1, max_size=4), min_size=1, max_size=3),
    st.text("ab.", max_size=5),
)
def test_patterns_of_names_are_what_they_look_like(patterns: list[str], name: str) -> None:
    """`*` is any characters and `?` is one, wherever they stand; everything else is itself."""
    expected = any(fnmatchcase(name, pattern) for pattern in patterns)
    assert Globs(patterns).match(name) is expected


@for_every
@given(st.text(st.sampled_from("/.a"), max_size=8))
def test_a_path_without_detours_is_told_at_once(path: str) -> None:
    """What is taken for a plain path is what the standard library makes of it."""
    assert _normal(path) == posixpath.normpath(path)


WORDS = [
    "rules:",
    "- ",
    "id: a",
    "\n",
    "  ",
    "decision: ",
    "deny",
    "default: ",
    "{",
    "}",
    "[",
    "]",
    "where: ",
    "path: a",
]
WORDS += [
    "at_most: ",
    "5",
    '"',
    "'",
    "#",
    "&a",
    "*a",
    "!!",
    "? ",
    ": ",
    "|",
    ">",
    "%",
    "@",
    "\t",
    "---",
    "\x85",
    "\ufeff",
]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Policy]:
    """Reads a text as a policy's file."""
    file: Path = tmp_path_factory.mktemp("policies") / "p.yaml"

    def read(text: str) -> Policy:
        file.write_text(text, encoding="utf-8", newline="")
        return read_policy(file)

    return read


@for_every
@given(
    text=st.lists(st.sampled_from(WORDS), max_size=30).map("".join) | st.text(st.characters(exclude_categories=["Cs"]))
)
def test_no_text_is_too_much(read: Callable[[str], Policy], text: str) -> None:
    """Any text is a policy, or is refused with the place of every mistake."""
    refused: InvalidFile | None = None
    try:
        policy = read(text)
    except InvalidFile as error:
        refused = error
    if refused is None:
        assert Policy.read(policy.recorded()) == policy
    else:
        assert refused.lines
        assert all(mistake.place.line >= 1 and mistake.problem for mistake in refused.mistakes)
