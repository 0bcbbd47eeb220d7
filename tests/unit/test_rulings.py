"""What a session's policy is told of a call, and what becomes of its verdict."""

from decimal import Decimal
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.rulings import Rulings
from eventlog.events import PolicyDecided, SessionStarted
from policy.rules import Policy
from projections.fold import fold
from projections.tool_calls import TOOL_CALLS, OpenCall
from tests.policy.rulebook import layer, policy
from tests.projections.facts import given, replied, said, started, use
from tools.toolbox import Planned, Question

CALL = next(iter(fold(TOOL_CALLS, given(started(), said("hi"), replied(use("a"), at=1))).open.values()))


def under(recorded: Any) -> SessionStarted:
    """A session's terms, with this policy in force."""
    return started().model_copy(update={"policy": recorded})


def planned(**fields: Any) -> Planned:
    """A planned call."""
    plain: dict[str, Any] = {
        "name": "read_file",
        "arguments": {"path": "a"},
        "digest": "d",
        "effect": "read_only",
        "timeout": 1.0,
        "attempts": 1,
        "question": None,
    }
    return Planned(**{**plain, **fields})


def rule(given: Policy, call: OpenCall = CALL, spent: Decimal | None = None, **fields: Any) -> PolicyDecided | None:
    """What the policy says of the call."""
    return Rulings().rule(under(given.recorded()), call, planned(**fields), spent)


def test_a_verdict_becomes_an_event() -> None:
    """It names the call, the arguments that were looked at, the rule and the policy."""
    own = policy(layer({"id": "no", "decision": "deny", "where": {"path": "path", "equals": "a"}, "reason": "not a"}))
    decided = rule(own)
    assert decided == PolicyDecided(
        call_id="a",
        tool_name="read_file",
        digest="d",
        decision="deny",
        layer="own",
        rule="no",
        reason="not a",
        policy=own.digest,
    )


def test_a_silent_allowance_is_no_event() -> None:
    """Where no rule matches and the default allows, nothing is recorded; where a rule allows, it is."""
    assert rule(policy(layer({"decision": "deny", "tools": "write_file"}))) is None
    allowed = rule(policy(layer({"decision": "allow", "tools": "read_file"})))
    assert allowed is not None
    assert allowed.rule == "r0"


def test_the_facts_are_those_of_the_session() -> None:
    """Tenant, principal, model and the tool's risk are as the session began; the money is what its replies cost."""
    terms = started()
    risk = next(tool.risk for tool in terms.tools if tool.name == "read_file")
    facts = {"tenants": terms.tenant, "principals": terms.principal, "models": terms.model.name, "risks": risk}
    own = policy(layer({"decision": "warn", **facts, "effects": "read_only", "spent": {"at_least": 2}}))
    assert rule(own, spent=Decimal(1)) is None
    noted = rule(own, spent=Decimal(2))
    assert noted is not None
    assert noted.decision == "warn"


def test_an_author_is_heard() -> None:
    """What the tool's author wants asked is a word in the verdict."""
    decided = rule(policy(layer()), question=Question("Read a?", "it is secret", "high"))
    assert decided is not None
    assert (decided.decision, decided.layer, decided.reason) == ("ask", "author", "it is secret")


def test_a_policy_that_is_not_understood_lets_nothing_run() -> None:
    """A newer version's policy is no licence: the call fails, and says why."""
    newer = {**policy(layer()).recorded(), "schema_version": 2}
    with pytest.raises(ApplicationError, match="schema_version") as caught:
        Rulings().rule(under(newer), CALL, planned(), None)
    assert caught.value.non_retryable
