"""Rules about approvals: enough different people who may, each for the very arguments; one level after another."""

from collections.abc import Iterator

from eventlog.events import (
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalReused,
    ApprovalVoted,
    LLMResponseReceived,
)
from policy.approval import refuses_consent
from policy.persons import person
from projections.invariants.invariant import Invariant, Moment
from projections.session import PendingCall


class QuorumsAreMet(Invariant):
    """A call is allowed by as many different people as its terms want, each of whom may allow these arguments."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A yes that does not count, and leave without enough of them."""
        event, call = moment.recorded.event, _asked(moment)
        if call is None or not isinstance(event, ApprovalVoted | ApprovalGranted):
            return
        ballot, position = call.ballot, moment.recorded.position
        terms = event.terms or ballot.terms if isinstance(event, ApprovalVoted) else ballot.terms
        problem = refuses_consent(terms, ballot.level, event.approver, moment.before.principal)
        if problem is not None:
            yield f"call {call.id} is allowed by somebody who may not: {problem}"
        is_vote = isinstance(event, ApprovalVoted)
        after = ballot.voted(position, event) if isinstance(event, ApprovalVoted) else ballot.granted(position, event)
        people = [person(name) for name in after.names]
        if len(set(people)) < len(people):
            yield f"{event.approver} allows call {call.id} twice"
        if not is_vote and len(set(people)) < terms.quorum:
            yield f"call {call.id} is allowed by {len(set(people))} of the {terms.quorum} people who must"


class EscalationsFollowEachOther(Invariant):
    """Where nobody answers, one group is asked after the other, and then happens what the terms say."""

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A group that is left out or asked twice, and another end than was agreed."""
        event, call = moment.recorded.event, _asked(moment)
        if call is None:
            return
        ballot, last = call.ballot, len(call.ballot.terms.escalation)
        match event:
            case ApprovalEscalated() if event.level != ballot.level + 1 or event.level > last:
                yield f"call {call.id} is escalated from level {ballot.level} of {last} to {event.level}"
            case ApprovalEscalated() if event.approvers != ballot.terms.groups(event.level):
                yield f"call {call.id} is escalated to others than was agreed"
            case ApprovalExpired() if ballot.level < last:
                yield f"the question about call {call.id} expires at level {ballot.level} of {last}"
            case ApprovalExpired() if event.action != ballot.silence:
                yield f"nobody's answer is to {ballot.silence} call {call.id}, not to {event.action} it"
            case _:
                pass


class ReusesRestOnGrants(Invariant):
    """A call runs unasked only where somebody has allowed calls of its kind before, in the same thread."""

    def __init__(self) -> None:
        self._tools: dict[str, str] = {}
        self._grants: dict[int, tuple[str, ApprovalGranted]] = {}

    def breaks(self, moment: Moment) -> Iterator[str]:
        """A call that rests on nothing, or on something else."""
        match event := moment.recorded.event:
            case LLMResponseReceived():
                self._tools = {call.id: call.name for call in event.tool_calls}
            case ApprovalGranted() if event.remember is not None:
                self._grants[moment.recorded.position] = self._tools.get(event.call_id, ""), event
            case ApprovalReused():
                problem = self._wrong(event, moment)
                if problem is not None:
                    yield f"call {event.call_id} rests on position {event.grant}: {problem}"
            case _:
                pass

    def _wrong(self, event: ApprovalReused, moment: Moment) -> str | None:
        tool, grant = self._grants.get(event.grant, ("", None))
        if grant is None or grant.remember is None:
            return "no approval for calls to come stands there"
        if grant.remember.thread_id != moment.before.thread_id:
            return f"that is an approval of thread {grant.remember.thread_id}"
        if tool != event.tool_name or grant.remember.scope != event.scope:
            return "it covers other calls"
        if event.scope == "arguments" and event.digest != (grant.edited_digest or grant.digest):
            return "it covers other arguments"
        return None


def _asked(moment: Moment) -> PendingCall | None:
    call_id = getattr(moment.recorded.event, "call_id", None)
    return moment.before.pending.get(call_id) if call_id is not None else None
