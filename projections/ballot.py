"""A question while it is being answered: under which terms, about which arguments, and who has allowed them so far.

It holds what was told and works out the rest, so that facts may come in any order: a vote may be heard of before its
question. A vote for other arguments than the newest begins the count anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from eventlog.approval_terms import PLAIN, Action, ApprovalTerms, Scope
from eventlog.events import ApprovalEscalated, ApprovalGranted, ApprovalRequested, ApprovalVoted


@dataclass(frozen=True)
class Vote:
    """One person's yes to one version of the arguments."""

    position: int
    approver: str
    digest: str
    remember: Scope | None = None
    """What else they want to be allowed."""
    terms: ApprovalTerms | None = None
    """The terms from then on, where the vote changed them."""


@dataclass(frozen=True)
class Ballot:
    """What is known of a question."""

    asked_at: int = -1
    """The position of the question."""
    asked_digest: str = ""
    """Of the arguments that it is about."""
    asked_terms: ApprovalTerms = PLAIN
    level: int = 0
    """How often it was escalated."""
    votes: tuple[Vote, ...] = ()
    """All there were, in the order of the stream."""

    @property
    def terms(self) -> ApprovalTerms:
        """The terms as they are now."""
        return next((vote.terms for vote in reversed(self.votes) if vote.terms is not None), self.asked_terms)

    @property
    def digest(self) -> str:
        """Of the arguments that would run now."""
        return self.votes[-1].digest if self.votes else self.asked_digest

    @property
    def at(self) -> int:
        """The position of what says which arguments would run: the question, or the vote that changed them last."""
        at, digest = self.asked_at, self.asked_digest
        for vote in self.votes:
            if vote.digest != digest:
                at, digest = vote.position, vote.digest
        return at

    @property
    def changed(self) -> bool:
        """Whether somebody has changed the arguments since the question was asked."""
        return self.at > self.asked_at

    @property
    def silence(self) -> Action:
        """What it means in the end that nobody says more: of what one person wrote, and no other has seen, a no."""
        return "deny" if self.changed else self.terms.on_expiry

    @property
    def editor(self) -> str | None:
        """Who changed the arguments last since the question was asked, if anybody did."""
        since = self.at
        return next((vote.approver for vote in self.votes if vote.position == since), None) if self.changed else None

    @property
    def counted(self) -> tuple[Vote, ...]:
        """The votes for what would run now."""
        since = self.at
        return tuple(vote for vote in self.votes if vote.position >= since)

    @property
    def names(self) -> tuple[str, ...]:
        """Who has allowed what would run now."""
        return tuple(vote.approver for vote in self.counted)

    def asked(self, position: int, event: ApprovalRequested) -> Self:
        """The question is asked."""
        return replace(self, asked_at=position, asked_digest=event.digest, asked_terms=event.terms or PLAIN)

    def voted(self, position: int, event: ApprovalVoted) -> Self:
        """Somebody allows it, and others must as well."""
        return self._with(Vote(position, event.approver, event.digest, event.remember, event.terms))

    def granted(self, position: int, event: ApprovalGranted) -> Self:
        """The last one who had to has allowed it."""
        scope = event.remember.scope if event.remember else None
        return self._with(Vote(position, event.approver, event.edited_digest or event.digest, scope))

    def escalated(self, event: ApprovalEscalated) -> Self:
        """Others are asked."""
        return replace(self, level=max(self.level, event.level))

    def _with(self, vote: Vote) -> Self:
        return replace(self, votes=tuple(sorted((*self.votes, vote), key=lambda each: each.position)))


UNASKED = Ballot()
"""Of a call that nobody was asked about."""


def scope_of(wanted: Iterable[Scope | None]) -> Scope | None:
    """What all of these people want to be allowed from now on: no more than the most careful of them."""
    scopes = set(wanted)
    if not scopes or None in scopes:
        return None
    return "arguments" if "arguments" in scopes else "tool"
