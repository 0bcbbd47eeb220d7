"""What a session's policy says of a call: the facts are gathered here, and the policy decides."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeAlias

from temporalio.exceptions import ApplicationError

from eventlog.approval_terms import PLAIN, ApprovalTerms
from eventlog.canonical import digest_of
from eventlog.events import PolicyDecided, SessionStarted
from eventlog.terms import Risk, ToolTerms
from llm.messages import JsonObject
from policy.approval import combined
from policy.call import Call
from policy.judge import Judge
from policy.planned import completed
from policy.rules import Policy, UnreadablePolicy
from projections.tool_calls import OpenCall
from tools.toolbox import Planned

MOST_POLICIES = 64
"""Compiled ones that are kept, as threads have few different ones."""


PriceOf: TypeAlias = Callable[[str], Decimal | None]
"""US dollars that a call of a tool costs; None where that is not known."""


def _not_known(tool: str) -> None:
    del tool


class Rulings:
    """The policies of sessions, applied."""

    def __init__(self, price_of: PriceOf = _not_known) -> None:
        self._price_of = price_of
        self._judges: OrderedDict[str, Judge] = OrderedDict()

    def rule(
        self, terms: SessionStarted, call: OpenCall, planned: Planned, spent: Decimal | None
    ) -> PolicyDecided | None:
        """What the session's policy says of the call now; None where it has nothing to say."""
        digest, judge = self._judge(terms.policy)
        facts = Call(
            tool=planned.name,
            tenant=terms.tenant,
            principal=terms.principal,
            model=terms.model.name,
            time=datetime.now(UTC),
            spent=spent,
            cost=self._price_of(planned.name),
        )
        verdict = judge.decide(completed(facts, planned, terms_of(terms, planned.name)))
        if verdict.silent:
            return None
        return PolicyDecided(
            call_id=call.id,
            tool_name=planned.name,
            digest=planned.digest,
            decision=verdict.decision,
            layer=verdict.layer,
            rule=verdict.rule,
            reason=verdict.reason,
            policy=digest,
            approval=verdict.approval if verdict.approval != PLAIN else None,
        )

    def _judge(self, recorded: JsonObject) -> tuple[str, Judge]:
        """The policy, ready to decide. One that this code does not understand lets nothing run."""
        digest = digest_of(recorded)
        judge = self._judges.get(digest)
        if judge is None:
            try:
                judge = self._judges[digest] = Judge(Policy.read(recorded))
            except UnreadablePolicy as error:
                raise ApplicationError(str(error), type="UnreadablePolicy", non_retryable=True) from error
            while len(self._judges) > MOST_POLICIES:
                self._judges.popitem(last=False)
        return digest, judge


def asking_terms(decided: PolicyDecided | None, starter: ApprovalTerms | None) -> ApprovalTerms:
    """How a person is to be asked: as the policy and the thread's starter want it."""
    asks = decided is not None and decided.decision == "ask" and decided.approval is not None
    wanted = decided.approval if decided is not None and asks else None
    return combined([wanted or PLAIN, *([starter] if starter else [])])


def risk_of(terms: SessionStarted | None, name: str) -> Risk | None:
    """What was agreed of the tool's risk when the session began."""
    agreed = terms_of(terms, name)
    return agreed.risk if agreed is not None else None


def terms_of(terms: SessionStarted | None, name: str) -> ToolTerms | None:
    """What was agreed of the tool when the session began."""
    return next((tool for tool in terms.tools if tool.name == name), None) if terms is not None else None
