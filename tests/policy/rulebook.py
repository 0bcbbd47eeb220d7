"""Policies and calls made up in one line."""

from typing import Any

from policy.call import Call
from policy.condition import Condition, prepared
from policy.judge import Judge, Verdict
from policy.rules import Layer, Policy, Rule
from policy.truth import Truth


def layer(*rules: dict[str, Any], name: str = "own", **fields: Any) -> Layer:
    """A layer of rules; a rule without an id is named after its place."""
    made = [{"id": f"r{number}", **rule} for number, rule in enumerate(rules)]
    return Layer.model_validate({"name": name, "rules": made, **fields})


def policy(*layers: Layer) -> Policy:
    """A policy of these layers."""
    return Policy(name="made-up", layers=layers)


def decide(given: Policy | Layer, call: Call) -> Verdict:
    """What is said of a call."""
    return Judge(given if isinstance(given, Policy) else policy(given)).decide(call)


def said(given: Policy | Layer, call: Call) -> tuple[str, str, str | None]:
    """The decision, the layer and the rule."""
    verdict = decide(given, call)
    return verdict.decision, verdict.layer, verdict.rule


def holds(condition: dict[str, Any], value: Any) -> Truth:
    """Whether a condition holds of a value."""
    return prepared(Condition.model_validate(condition))(value)


def rule(**fields: Any) -> Rule:
    """One rule."""
    return Rule.model_validate({"id": "r", "decision": "ask", **fields})
