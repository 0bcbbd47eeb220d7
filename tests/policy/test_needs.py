"""Rules on what a tool declares that it needs."""

import pytest
from pydantic import ValidationError

from eventlog.terms import Capabilities
from policy.call import Call
from policy.truth import Truth
from tests.policy.rulebook import decide, layer, policy, rule


@pytest.mark.parametrize(
    ("declared", "named", "truth"),
    [
        (Capabilities(domains=("api.bank.example",)), {"domains": "*.bank.example"}, True),
        (Capabilities(domains=("api.bank.example",)), {"domains": "*.evil.example"}, False),
        (Capabilities(domains=("*",)), {"domains": "*.evil.example"}, None),
        (Capabilities(domains=("*.bank.example",)), {"domains": "*.bank.example"}, True),
        (Capabilities(domains=("*", "a.evil.example")), {"domains": "*.evil.example"}, True),
        (Capabilities(), {"domains": "*"}, False),
        (None, {"domains": "*"}, None),
        (Capabilities(secrets=("PROD_KEY",), paths=("a",)), {"secrets": "PROD_*", "paths": "b"}, False),
        (Capabilities(secrets=("PROD_KEY",), paths=("a",)), {"secrets": "PROD_*", "paths": ["a", "b"]}, True),
    ],
)
def test_a_manifest_is_held_against_what_a_rule_names(
    declared: Capabilities | None, named: dict[str, object], truth: Truth
) -> None:
    """Of each kind that is named something must fit; what is declared widely, or not at all, cannot be told."""
    needs = rule(needs=named).needs
    assert needs is not None
    assert needs.held().match(declared) is truth


@pytest.mark.parametrize(("decision", "said"), [("deny", "deny"), ("allow", "ask")])
def test_what_cannot_be_told_loosens_nothing(decision: str, said: str) -> None:
    """A tool without a manifest is denied by a rule that denies, and not allowed by one that allows."""
    rules = policy(layer({"decision": decision, "needs": {"domains": "*"}}, default="ask"))
    assert decide(rules, Call("mystery")).decision == said


def test_needs_that_say_nothing_are_refused() -> None:
    """They would fit every tool."""
    with pytest.raises(ValidationError, match="say what: paths, domains, secrets"):
        rule(needs={})
