"""Whether a call that is asked about may run: on somebody's answer, on one that was given before, or not yet."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from activities.rulings import asking_terms
from activities.tokens import Tokens
from eventlog.approval_terms import PLAIN, ApprovalTerms
from eventlog.events import ApprovalRequested, ApprovalReused, PolicyDecided, SessionStarted
from policy.approval import is_content, is_covered
from projections.tool_calls import OpenCall, StandingGrant
from tools.toolbox import Failed, Planned, Question, Toolbox

NO_KEY = (
    "It was not run: it must be asked about with a token, and this worker has no PERDURE_APPROVAL_KEY to make one of."
)
TOO_LITTLE = "It was not run: with these arguments it needs another approval than the one that was given."

Needed: TypeAlias = ApprovalRequested | ApprovalReused | Failed | None
"""What must be written before the call runs, or what it comes to; None where nothing is missing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that a person must be asked about, and all that counts for whether they are."""

    call: OpenCall
    planned: Planned
    question: Question
    decided: PolicyDecided | None
    """What the policy said of it."""
    terms: SessionStarted | None
    standing: tuple[StandingGrant, ...]
    """The thread's approvals that cover calls to come."""

    @property
    def wanted(self) -> ApprovalTerms:
        """How it is to be asked."""
        return asking_terms(self.decided, self.terms.approval if self.terms else None)

    @property
    def by(self) -> tuple[str | None, str | None]:
        """The layer and the rule that want it asked; none where it is the tool's author, without a policy."""
        asks = self.decided is not None and self.decided.decision == "ask"
        return (self.decided.layer, self.decided.rule) if self.decided is not None and asks else (None, None)


@dataclass(frozen=True, slots=True)
class Leaves:
    """Finds out what is missing."""

    toolbox: Toolbox
    tokens: Tokens

    def needed(self, asked: Asked, event_id: UUID) -> Needed:
        """What is missing for the call, whose question would have this id."""
        call, wanted = asked.call, asked.wanted
        if call.cleared:
            enough = call.intent is not None or _is_enough(call, wanted)
            return None if enough else Failed("approval_mismatch", TOO_LITTLE)
        grant = self._resting_on(asked, wanted)
        if grant is not None:
            return _reused(asked, grant)
        token = self.tokens.digest_for(event_id) if wanted.token else None
        if wanted.token and token is None:
            return Failed("no_approval_key", NO_KEY)
        return _question(asked, wanted, token)

    def _resting_on(self, asked: Asked, wanted: ApprovalTerms) -> StandingGrant | None:
        """The newest approval that covers this call as well."""
        candidates = [grant for grant in reversed(asked.standing) if grant.tool == asked.planned.name]
        if not candidates or asked.terms is None:
            return None
        digest, principal = self.toolbox.terms((asked.planned.name,))[0].digest, asked.terms.principal
        here = (digest, asked.terms.thread_id)
        found = (grant for grant in candidates if _covers(grant, asked, here) and _would_do(grant, wanted, principal))
        return next(found, None)


def _covers(grant: StandingGrant, asked: Asked, here: tuple[str, str]) -> bool:
    """Whether this is one of the calls it was to cover: the same tool and thread, asked about by the same rule."""
    standing = grant.standing
    return (
        (standing.tool_digest, standing.thread_id) == here
        and (standing.layer, standing.rule) == asked.by
        and (standing.scope == "tool" or grant.digest == asked.planned.digest)
    )


def _would_do(grant: StandingGrant, wanted: ApprovalTerms, principal: str) -> bool:
    """Whether those who gave it could answer this question, too."""
    return is_content(wanted, grant.approvers, principal, shown=grant.terms.token)


def _is_enough(call: OpenCall, wanted: ApprovalTerms) -> bool:
    """Whether what the call was cleared with is what a question about it would want now."""
    if call.ballot.asked_at < 0:
        return True  # it rests on another approval, which was held against these very terms
    nobody = call.approver is None
    return is_covered(call.ballot.terms, wanted) and not (nobody and wanted.on_expiry != "allow")


def _reused(asked: Asked, grant: StandingGrant) -> ApprovalReused:
    return ApprovalReused(
        call_id=asked.call.id,
        tool_name=asked.call.name,
        digest=asked.planned.digest,
        grant=grant.position,
        approvers=grant.approvers,
        scope=grant.standing.scope,
    )


def _question(asked: Asked, wanted: ApprovalTerms, token_sha256: str | None) -> ApprovalRequested:
    waits = asked.call.approval_timeout if wanted.timeout is None else wanted.timeout
    return ApprovalRequested(
        call_id=asked.call.id,
        tool_name=asked.call.name,
        arguments=asked.planned.arguments,
        digest=asked.planned.digest,
        question=asked.question.text,
        reason=asked.question.reason,
        risk=asked.question.risk,
        expires_at=datetime.now(UTC) + timedelta(seconds=waits),
        terms=wanted if wanted != PLAIN else None,
        token_sha256=token_sha256,
    )
