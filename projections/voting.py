"""How a question for leave comes to its answer: who may say yes or no, whose yes is enough, and what if nobody answers.

Pure: what only the worker can find out of an answer (whether its token is right, what the policy says to other
arguments) comes as `Proof`. A yes counts for the very arguments that were to be run when it was given.
"""

from dataclasses import dataclass
from datetime import timedelta

from eventlog.approval_terms import PLAIN, ApprovalTerms, Scope, Standing
from eventlog.canonical import digest_of
from eventlog.events import ApprovalEscalated, ApprovalExpired, ApprovalGranted, ApprovalVoted
from policy.approval import combined, refuses_consent, refuses_person
from policy.persons import person
from projections.ballot import Ballot, Vote, scope_of
from projections.process_requests import Expire
from projections.requests import Approve, Deny
from projections.session import PendingCall, Session


@dataclass(frozen=True, slots=True)
class Edited:
    """Arguments that an approver put in the place of others."""

    digest: str
    terms: ApprovalTerms = PLAIN
    """What the policy wants of a question about them."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What an approval that is to be remembered rests on, see `Standing`."""

    tool_digest: str
    layer: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What the worker has found out of an answer."""

    token: bool | None = False
    """Whether the question's token was shown; None where nobody has looked."""
    edited: Edited | None = None
    basis: Basis | None = None


NOTHING_SHOWN = Proof()
NOT_LOOKED_AT = Proof(token=None)

UNSHOWN = "the question's token was not shown"


def refuses_answer(session: Session, request: Approve | Deny, proof: Proof) -> str | None:
    """Why the answer to an open question does not count, in words for its sender; None where it does."""
    ballot = session.pending[request.call_id].ballot
    if ballot.terms.token and not proof.token:
        return UNSHOWN if proof.token is not None else None
    if request.position is not None and request.position != ballot.at:
        return f"what is asked now stands at position {ballot.at}, not {request.position}: look at it again"
    if isinstance(request, Deny):
        return refuses_person(ballot.terms, ballot.level, request.approver)
    return _unseen(ballot, request) or _unwilling(session, ballot, request, proof)


def _unseen(ballot: Ballot, request: Approve) -> str | None:
    """An approver who does not say which arguments may have seen those before the last change."""
    if request.position is None and request.edited_arguments is None and ballot.changed:
        return f'the arguments were changed: look at them, and say which you mean with "position": {ballot.at}'
    return None


def _unwilling(session: Session, ballot: Ballot, request: Approve, proof: Proof) -> str | None:
    terms = _terms(ballot, request, proof)
    problem = refuses_consent(terms, ballot.level, request.approver, session.principal)
    if problem is not None:
        return problem
    before = _before(ballot, _digest(ballot, request, proof))
    if person(request.approver) in {person(vote.approver) for vote in before}:
        return f"{request.approver} has allowed it already: {len(before)} of {terms.quorum} have"
    return None


def approved(session: Session, request: Approve, proof: Proof) -> ApprovalVoted | ApprovalGranted:
    """The fact that a yes makes: a vote, or the leave where it is the last one needed."""
    call = session.pending[request.call_id]
    ballot, digest = call.ballot, _digest(call.ballot, request, proof)
    terms, before = _terms(ballot, request, proof), _before(ballot, digest)
    if len(before) + 1 < terms.quorum:
        return ApprovalVoted(
            call_id=call.id,
            digest=digest,
            approver=request.approver,
            comment=request.comment,
            edited_arguments=request.edited_arguments,
            terms=terms if terms != ballot.terms else None,
            remember=request.remember,
        )
    return ApprovalGranted(
        call_id=call.id,
        digest=call.digest,
        approver=request.approver,
        comment=request.comment,
        edited_arguments=request.edited_arguments,
        edited_digest=digest if digest != call.digest else None,
        remember=_standing(session, [*(vote.remember for vote in before), request.remember], proof.basis),
    )


def _terms(ballot: Ballot, request: Approve, proof: Proof) -> ApprovalTerms:
    """The terms with this answer: other arguments may make them stricter, never looser."""
    edited = _edited(request, proof)
    return ballot.terms if edited is None else combined((ballot.terms, edited.terms))


def _digest(ballot: Ballot, request: Approve, proof: Proof) -> str:
    edited = _edited(request, proof)
    return ballot.digest if edited is None else edited.digest


def _edited(request: Approve, proof: Proof) -> Edited | None:
    if request.edited_arguments is None:
        return None
    return proof.edited or Edited(digest_of(request.edited_arguments))


def _before(ballot: Ballot, digest: str) -> tuple[Vote, ...]:
    """Who has allowed these arguments before."""
    return ballot.counted if digest == ballot.digest else ()


def _standing(session: Session, wanted: list[Scope | None], basis: Basis | None) -> Standing | None:
    scope = scope_of(wanted)
    if scope is None or basis is None:
        return None
    return Standing(
        scope=scope,
        tool_digest=basis.tool_digest,
        thread_id=session.thread_id,
        layer=basis.layer,
        rule=basis.rule,
    )


def refuses_expiry(call: PendingCall, request: Expire) -> str | None:
    """Why a time that is over is not the one that counts; None where it is."""
    level = call.ballot.level
    return None if request.level == level else f"the question was escalated to level {level} since"


def lapsed(call: PendingCall, request: Expire) -> ApprovalEscalated | ApprovalExpired:
    """What follows where nobody has answered in time: others are asked, or what the terms want at the very end."""
    terms, level = call.ballot.terms, call.ballot.level
    since = request.at or call.expires_at
    if level >= len(terms.escalation) or since is None:
        return ApprovalExpired(call_id=call.id, action=call.ballot.silence)
    following = terms.escalation[level]
    return ApprovalEscalated(
        call_id=call.id,
        level=level + 1,
        approvers=following.approvers,
        expires_at=since + timedelta(seconds=following.timeout),
    )
