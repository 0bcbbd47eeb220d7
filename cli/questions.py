"""What waits for a person, as the commands tell it: one shape for leave, for answers and for budgets."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from cli.answers import PendingQuestion
from eventlog.approval_terms import Groups
from eventlog.events import ApprovalRequested, BudgetExceeded, HumanInputRequested
from eventlog.inquiries import Inquiry
from policy.persons import fits, person
from projections.session import Session
from projections.summary import Pending, Summary

APPROVAL = "approval"
BUDGET = "budget"
LOOP = "loop"
"""The kind of question, and what stands in the place of a call's id, where an agent goes round in circles."""
INPUTS = ("confirm", "choose", "input", "upload", "review")
_NEVER = datetime.max.replace(tzinfo=UTC)
_SAID_ELSEWHERE = frozenset({"action", "question"})


def question_of(session: Session, pending: Pending) -> PendingQuestion:
    """A question that waits."""
    call, asked = pending.call, pending.asked
    return PendingQuestion(
        thread_id=session.thread_id,
        call_id=call.id,
        question=call.question,
        expires_at=call.expires_at,
        tenant=session.tenant,
        arguments=pending.arguments,
        votes=call.ballot.names,
        escalated=call.ballot.level,
        edited_by=call.ballot.editor,
        self_approval=call.ballot.terms.self_approval,
        token=call.ballot.terms.token,
        quorum=call.ballot.terms.quorum if isinstance(asked, ApprovalRequested) else 1,
        approvers=_groups(pending),
        **_about(session, pending),
    )


def circle_of(summary: Summary) -> Iterator[PendingQuestion]:
    """The question whether an agent that goes round in circles may go on, where it waits for a person's word."""
    if summary.circling is not None:
        yield PendingQuestion(
            thread_id=summary.session.thread_id,
            call_id=LOOP,
            kind=LOOP,
            tool="",
            arguments={"period": summary.circling.period, "times": summary.circling.times},
            question=f"May it go on? {summary.session.stopped_at}",
            reason=f"it goes round in circles: {summary.circling.calls}",
            risk=None,
            expires_at=None,
            tenant=summary.session.tenant,
            position=summary.circled_at,
            inquiry=None,
            quorum=1,
            votes=(),
            approvers=(),
            escalated=0,
            edited_by=None,
            self_approval=True,
            token=False,
        )


def may_answer(question: PendingQuestion, name: str) -> bool:
    """Whether the question waits for this person: they may answer it, and have not done so."""
    voted = {person(vote) for vote in question.votes}
    return person(name) not in voted and all(fits(patterns, name) for patterns in question.approvers)


def _about(session: Session, pending: Pending) -> dict[str, Any]:
    """What the question is about."""
    asked, call = pending.asked, pending.call
    match asked:
        case ApprovalRequested():
            about = {"kind": APPROVAL, "reason": asked.reason, "risk": asked.risk, "inquiry": None}
            return {**about, "tool": asked.tool_name, "position": call.ballot.at}
        case HumanInputRequested():
            reason = "the model asks" if asked.step is None else "the final answer is reviewed before it is used"
            expected = {name: getattr(asked, name) for name in Inquiry.model_fields if name not in _SAID_ELSEWHERE}
            about = {"kind": asked.action, "reason": reason, "risk": None}
            return {**about, "inquiry": expected, "tool": call.name, "position": call.inquired_at}
        case BudgetExceeded():
            budget = session.budget
            reason, position = (budget.reached, budget.position) if budget else ("", -1)
            about = {"kind": BUDGET, "reason": reason, "risk": None, "inquiry": None}
            return {**about, "tool": "", "position": position}


def _groups(pending: Pending) -> Groups:
    """Who may answer."""
    if isinstance(pending.asked, BudgetExceeded):
        return (pending.asked.raised_by,) if pending.asked.raised_by else ()
    return pending.call.ballot.terms.groups(pending.call.ballot.level)


def by_expiry(questions: Iterable[PendingQuestion]) -> list[PendingQuestion]:
    """The questions, soonest to expire first; those that wait for ever come last."""
    return sorted(questions, key=lambda each: (each.expires_at is None, each.expires_at or _NEVER))
