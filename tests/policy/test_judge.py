"""Which rule speaks, and what it says."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from policy.call import Call, Hint
from policy.judge import Judge
from policy.rules import Policy, UnreadablePolicy
from tests.policy.rulebook import decide, layer, policy, said


def test_the_first_rule_that_matches_speaks() -> None:
    """Within a layer the order counts, so that exceptions stand before what they are exceptions from."""
    refunds = layer(
        {"id": "small", "decision": "allow", "tools": "refund", "where": {"path": "amount", "at_most": 50}},
        {"id": "large", "decision": "ask", "tools": "refund", "where": {"path": "amount", "at_most": 500}},
        {"id": "none", "decision": "deny", "tools": "refund"},
    )
    for amount, expected in ((20, ("allow", "small")), (50.5, ("ask", "large")), (501, ("deny", "none"))):
        decision, _, rule = said(refunds, Call("refund", {"amount": amount}))
        assert (decision, rule) == expected
    assert said(refunds, Call("other")) == ("allow", "own", None)


def test_default_deny_is_one_line() -> None:
    """What no rule names is denied where the layer says so, with a reason for the model."""
    strict = layer({"decision": "allow", "tools": ["read_*", "list_files"]}, default="deny", reason="reading only")
    assert said(strict, Call("read_file")) == ("allow", "own", "r0")
    assert said(strict, Call("list_files")) == ("allow", "own", "r0")
    denied = decide(strict, Call("write_file"))
    assert (denied.decision, denied.rule, denied.reason) == ("deny", None, "reading only")


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        ("allow", "deny", "deny"),
        ("deny", "allow", "deny"),
        ("ask", "warn", "ask"),
        ("warn", "allow", "warn"),
        ("ask", "deny", "deny"),
    ],
)
def test_of_layers_the_strictest_counts(below: str, above: str, expected: str) -> None:
    """No layer can allow what another forbids, whichever lies above."""
    stacked = policy(
        layer({"decision": below, "tools": "t"}, name="organisation"), layer({"decision": above}, name="run")
    )
    assert said(stacked, Call("t"))[0] == expected


def test_a_layer_may_be_for_some_tenants_only() -> None:
    """It says nothing of other tenants' calls, but counts where nobody knows the tenant."""
    stacked = policy(layer(name="all"), layer(name="acme", default="deny", tenants="acme*"))
    assert said(stacked, Call("t", tenant="umbrella")) == ("allow", "all", None)
    assert said(stacked, Call("t", tenant="acme-eu")) == ("deny", "acme", None)
    assert said(stacked, Call("t")) == ("deny", "acme", None)


def test_models_may_be_limited() -> None:
    """A thread may ask only models that every layer for its tenant allows."""
    judge = Judge(
        policy(
            layer(name="all", allowed_models=["claude-*", "scripted-1"]),
            layer(name="acme", tenants="acme", allowed_models="*-sonnet-*"),
        )
    )
    assert judge.refuses_model("claude-haiku-5", "other") is None
    for model, tenant, name in (
        ("gpt-5", "other", "all"),
        ("claude-haiku-5", "acme", "acme"),
        ("scripted-1", None, "acme"),
    ):
        refused = judge.refuses_model(model, tenant)
        assert refused is not None
        assert model in refused
        assert f"'{name}'" in refused
    assert judge.refuses_model("claude-sonnet-5-5", "acme") is None
    assert judge.refuses_model("claude-\ud800", "other") is None
    assert judge.refuses_model("\ud800-sonnet-", "other") is not None


def test_an_author_can_only_be_stricter() -> None:
    """A hint of the tool's author counts where it is stricter than the policy, and nowhere else."""
    allowed, denied = layer({"decision": "allow", "tools": "t"}), layer({"decision": "deny", "tools": "t"})
    asking = Call("t", hint=Hint("ask", "it always asks"))
    assert said(allowed, asking) == ("ask", "author", None)
    assert decide(allowed, asking).reason == "it always asks"
    assert said(denied, asking) == ("deny", "own", "r0")
    assert said(denied, Call("t", hint=Hint("allow", "it is harmless"))) == ("deny", "own", "r0")


FULL: dict[str, Any] = {
    "decision": "deny",
    "tools": "pay_*",
    "effects": ["unsafe"],
    "risks": ["medium", "high"],
    "tenants": "acme",
    "principals": "ana@*",
    "models": ["claude-*"],
    "times": {"days": "mon-fri", "hours": "08:00-18:00", "zone": "Europe/Berlin"},
    "cost": {"more_than": 1},
    "spent": {"at_least": 9.5},
    "where": {"path": "to", "equals": "x"},
}
FITTING: dict[str, Any] = {
    "tool": "pay_out",
    "arguments": {"to": "x"},
    "effect": "unsafe",
    "risk": "high",
    "tenant": "acme",
    "principal": "ana@acme",
    "model": "claude-5",
    "time": datetime(2026, 11, 23, 7, 30, tzinfo=UTC),
    "cost": Decimal("1.01"),
    "spent": Decimal("9.5"),
}


def test_a_rule_matches_where_all_it_names_fits() -> None:
    """A rule may look at everything that is known of a call."""
    assert said(layer(FULL), Call(**FITTING)) == ("deny", "own", "r0")


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("tool", "play_out"),
        ("arguments", {"to": "y"}),
        ("effect", "read_only"),
        ("risk", "low"),
        ("tenant", "acme2"),
        ("principal", "bob@acme"),
        ("model", "gpt"),
        ("time", datetime(2026, 11, 22, 7, 30, tzinfo=UTC)),
        ("cost", Decimal(1)),
        ("spent", Decimal("9.49")),
    ],
)
def test_a_rule_is_passed_where_one_thing_does_not_fit(what: str, other: object) -> None:
    """Each thing a rule names can keep it from matching; unknown, it cannot."""
    assert said(layer(FULL), Call(**{**FITTING, what: other}))[0] == "allow"
    if what not in ("tool", "arguments"):
        assert said(layer(FULL), Call(**{**FITTING, what: None}))[0] == "deny"


def test_what_cannot_be_told_never_loosens() -> None:
    """An undecided rule counts where it is strict, does not where it allows, and hides no stricter rule behind it."""
    where = {"path": "amount", "at_most": 50}
    assert said(layer({"decision": "allow", "where": where}, default="deny"), Call("t", {"amount": "5"}))[0] == "deny"
    asked = layer({"decision": "ask", "where": where}, {"decision": "deny", "tools": "t"})
    assert said(asked, Call("t", {})) == ("deny", "own", "r1")
    assert said(asked, Call("u", {})) == ("ask", "own", "r0")
    assert said(asked, Call("t", {"amount": 5})) == ("ask", "own", "r0")
    assert said(layer({"decision": "allow", "where": where}), Call("t")) == ("allow", "own", None)


def test_the_explanation_goes_rule_by_rule() -> None:
    """Every rule is told of: what it looked at, and why it did or did not match."""
    given = layer(
        {"id": "no-tool", "decision": "deny", "tools": "other"},
        {"id": "open", "decision": "warn", "where": {"path": "b", "equals": 1}},
        {"id": "fits", "decision": "ask", "where": {"path": "a", "at_least": 5}},
        {"id": "late", "decision": "deny", "tools": "t"},
    )
    found = Judge(policy(given)).explain(Call("t", {"a": 5}))
    assert [(each.rule, each.outcome) for each in found] == [
        ("no-tool", "passed"),
        ("open", "undecided"),
        ("fits", "matched"),
        ("late", "unreached"),
        (None, "unreached"),
    ]
    whys = [each.why for each in found]
    assert whys[0] == 'tool is "t"; the rule says other'
    assert whys[1] == "b is missing: equals 1 cannot be told"
    assert whys[2] == "a is 5: at_least 5 is met"


def test_a_layer_for_others_is_explained_too() -> None:
    """Of a layer that has no say, the explanation tells whom it is for."""
    given = policy(layer(name="all"), layer({"decision": "deny"}, name="acme", tenants="acme"))
    *_, rule, default = Judge(given).explain(Call("t", tenant="other"))
    assert (rule.outcome, rule.why, default.outcome) == ("unreached", "the layer is for acme", "unreached")


def test_a_policy_is_recorded_whole() -> None:
    """What is recorded reads back as the same policy with the same digest; a change of a word is another digest."""
    given = policy(layer(FULL, {"decision": "ask", "reason": "why"}))
    again = Policy.read(given.recorded())
    assert (again, again.digest) == (given, given.digest)
    other = policy(layer(FULL, {"decision": "ask", "reason": "why not"}))
    assert other.digest != given.digest
    assert given.recorded()["layers"][0]["default"] == "allow", "defaults of today stand in the record"


def test_what_is_not_understood_is_refused() -> None:
    """A recorded policy of a newer shape is not guessed at."""
    newer = {**policy(layer()).recorded(), "schema_version": 2}
    with pytest.raises(UnreadablePolicy, match="schema_version"):
        Policy.read(newer)
    nothing: list[Any] = [None, [], {}, {"schema_version": 1, "name": "x", "layers": []}]
    for broken in nothing:
        with pytest.raises(UnreadablePolicy):
            Policy.read(broken)


def test_policies_lie_over_each_other() -> None:
    """Laid over another, a policy keeps the other's layers beneath its own."""
    below = policy(layer(name="below", default="deny"))
    above = Policy(name="above", layers=(layer(name="above"),))
    both = above.over(below)
    assert (both.name, [each.name for each in both.layers]) == ("made-up+above", ["below", "above"])
    assert said(both, Call("t"))[0] == "deny"
