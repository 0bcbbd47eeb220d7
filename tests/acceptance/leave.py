"""Who allowed a payment, worked out from the events alone, by other means than the code that asks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from eventlog.canonical import digest_of
from eventlog.events import (
    AnyEvent,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalReused,
    ApprovalVoted,
    ToolExecutionRequested,
)
from llm.messages import JsonObject
from tests.acceptance.consent_rules import SPELLINGS, WAYS
from tests.acceptance.crowd import NEVER_SHOWS_TOKENS


@dataclass
class Leave:
    """What a call may be run with, and on whose word."""

    digest: str
    people: set[str] = field(default_factory=set)
    """None where nobody has answered."""


def unallowed(events: Sequence[AnyEvent], call: str, arguments: JsonObject) -> str | None:
    """Why these arguments of a payment should not have been run; None where they may."""
    intents = [at for at, event in enumerate(events) if _begins(event, call)]
    if len(intents) != 1:
        return f"{call} has {len(intents)} intents"
    leaves = list(_leaves(events[: intents[0]], call))
    if len(leaves) != 1:
        return f"{call} was run on {len(leaves)} words"
    if leaves[0].digest != digest_of({"name": "pay", "arguments": arguments}):
        return f"{call} was allowed with other arguments than {arguments}"
    return None if _is_enough(leaves[0].people, str(arguments["how"])) else f"{call}, {arguments}: {leaves[0]}"


def _is_enough(people: set[str], how: str) -> bool:
    way = WAYS[how]
    if not people:
        return way.by_nobody
    showed = people - {NEVER_SHOWS_TOKENS} if way.rule and way.rule.get("token") else people
    return way.rule is not None and len(showed & way.people) >= way.quorum


def _leaves(events: Sequence[AnyEvent], call: str) -> Iterator[Leave]:
    """Every word on which the call may be run, in order."""
    now = Leave("")
    for event in events:
        if isinstance(event, ApprovalReused) and event.call_id == call:
            yield Leave(event.digest, _of_grant(events, event))
        elif getattr(event, "call_id", None) == call:
            match event:
                case ApprovalRequested():
                    now = Leave(event.digest)
                case ApprovalVoted():
                    now = _with(now, event.digest, event.approver)
                case ApprovalGranted():
                    yield _with(now, event.edited_digest or event.digest, event.approver)
                case ApprovalExpired(action="allow"):
                    yield Leave(now.digest)
                case _:
                    pass


def _of_grant(events: Sequence[AnyEvent], reused: ApprovalReused) -> set[str]:
    """Whose word is used again."""
    grant = events[reused.grant]
    assert isinstance(grant, ApprovalGranted)
    assert grant.remember is not None
    [leave] = _leaves(events[: reused.grant + 1], grant.call_id)
    return leave.people


def _with(leave: Leave, digest: str, name: str) -> Leave:
    """One person more for the same arguments, or the first for others."""
    before = leave.people if leave.digest == digest else set()
    return Leave(digest, before | {SPELLINGS[name]})


def _begins(event: AnyEvent, call: str) -> bool:
    return isinstance(event, ToolExecutionRequested) and event.call_id == call
