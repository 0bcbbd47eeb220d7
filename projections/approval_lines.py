"""Approvals in words: the parts of lines that tell people of them."""

from eventlog.approval_terms import ApprovalTerms
from eventlog.events import ApprovalEscalated, ApprovalGranted, ApprovalReused, ApprovalVoted
from policy.approval import in_words, whom
from projections.ballot import Ballot


def in_short(terms: ApprovalTerms | None) -> str:
    """What the terms of a question ask for, to stand behind a word."""
    said = in_words(terms) if terms is not None else ""
    return f", {said}" if said else ""


def allowed(event: ApprovalVoted | ApprovalGranted) -> str:
    """What a person did."""
    return "votes for" if isinstance(event, ApprovalVoted) else "approved"


def from_now_on(event: ApprovalVoted | ApprovalGranted) -> str:
    """What else was allowed by it."""
    scope = event.remember if isinstance(event, ApprovalVoted) else event.remember and event.remember.scope
    if scope is None:
        return ""
    return ", and from now on every call of the tool" if scope == "tool" else ", and from now on the very same"


def passed_on(event: ApprovalEscalated, title: str) -> str:
    """Who is asked now."""
    return f"nobody answered in time, asks {whom(event.approvers)}: {title}"


def resting(event: ApprovalReused) -> str:
    """What an approval rests on that nobody was asked for."""
    return f"without asking: {', '.join(event.approvers)} allowed it at position {event.grant}"


def progress(ballot: Ballot) -> str:
    """How far a question is, and whose word it waits for, to stand behind what it is about."""
    terms, groups = ballot.terms, ballot.terms.groups(ballot.level)
    parts = [f"{len(ballot.names)} of {terms.quorum} so far: {', '.join(ballot.names)}"] if ballot.names else []
    parts += [f"{terms.quorum} people must allow it"] if terms.quorum > 1 and not ballot.names else []
    parts += [f"asked are {whom(groups)}"] if groups else []
    parts += [f"{ballot.editor} changed the arguments"] if ballot.editor else []
    return f" ({'; '.join(parts)})" if parts else ""


def needed(ballot: Ballot) -> str:
    """What an answer must hold besides the call, as JSON behind other JSON."""
    named = ballot.terms.quorum > 1 or not ballot.terms.self_approval or ballot.terms.groups(ballot.level)
    parts = [', "approver": "…"'] if named else []
    parts += [f', "position": {ballot.at}'] if ballot.changed else []
    parts += [', "token": "…"'] if ballot.terms.token else []
    return "".join(parts)
