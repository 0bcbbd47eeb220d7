"""Examples of notices, as `perdure webhooks test` sends them: made the way that real ones are."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from eventlog.events import EVENT_TYPES, AnyEvent
from eventlog.ids import new_thread_id
from eventlog.log import Recorded
from eventlog.metadata import Metadata
from eventlog.streams import stream_of
from notices.kinds import EXPIRING, KINDS, SETTLED_BY, TEST
from notices.notice import About, Notice, notice_of

TOKEN = "an-example-and-no-token"  # noqa: S105 - as it says
_CALL = "toolu_example"


class UnknownKind(ValueError):
    """There is no such kind; the message lists those there are."""


def sample(kind: str = TEST, *, content: bool = True, tokens: bool = True) -> Notice:
    """A notice of this kind about a thread that does not exist. Raises `UnknownKind`."""
    asked = _recorded("ApprovalRequested", 5)
    if kind == TEST:
        event = asked
    else:
        names = {kind_: name for name, kind_ in [*EXPIRING.items(), *KINDS.items()]}
        if kind not in names or names[kind] not in _SAID:
            raise UnknownKind(f"there is no example of {kind!r}: there are {', '.join(sorted(_kinds()))}")
        event = _recorded(names[kind], 7)
    question = event if event.event.type in SETTLED_BY else asked
    token = TOKEN if tokens and event.event.type.startswith("Approval") else None
    return notice_of(About(event, question), kind, f"test-{uuid4()}", content=content, token=token)


def _kinds() -> set[str]:
    return {TEST, *(kind for name, kind in [*KINDS.items(), *EXPIRING.items()] if name in _SAID)}


def _recorded(name: str, position: int) -> Recorded:
    now = datetime.now(UTC)
    stream = stream_of(new_thread_id())
    return Recorded(uuid4(), stream, position, position + 1, now, _event(name, now), Metadata(at=now, principal="ana"))


def _event(name: str, now: datetime) -> AnyEvent:
    ends = {"expires_at": now + timedelta(days=7)} if name in EXPIRING else {}
    return EVENT_TYPES[name].model_validate({**_SAID[name], **ends})


_SAID: Mapping[str, Mapping[str, Any]] = {
    "ApprovalRequested": {
        "call_id": _CALL,
        "tool_name": "write_file",
        "arguments": {"path": "notes.md", "content": "An example of a notice. Nobody waits for your answer.\n"},
        "digest": "0" * 64,
        "question": "write_file notes.md (an example: nobody waits for your answer)",
        "reason": "it changes a file",
        "risk": "medium",
    },
    "ApprovalEscalated": {"call_id": _CALL, "level": 1, "approvers": [["lead-*"]]},
    "ApprovalGranted": {"call_id": _CALL, "digest": "0" * 64, "approver": "ana", "comment": "fine"},
    "ApprovalDenied": {"call_id": _CALL, "approver": "ana", "reason": "put it into todo.md"},
    "ApprovalExpired": {"call_id": _CALL},
    "HumanInputRequested": {"call_id": _CALL, "action": "choose", "question": "Which?", "options": ["this", "that"]},
    "HumanInputProvided": {"call_id": _CALL, "action": "choose", "by": "ana", "value": "this"},
    "HumanInputExpired": {"call_id": _CALL},
    "BudgetWarned": {"limit": "cost", "share": 0.8, "allowed": 5, "used": 4.1},
    "BudgetExceeded": {"limit": "cost", "allowed": 5, "used": 5.2, "action": "ask", "question": "5 US dollars more?"},
    "BudgetRaised": {"more": {"cost": "5"}, "by": "ana"},
    "BudgetRefused": {"by": "ana", "reason": "enough"},
    "LoopDetected": {"step": 9, "stage": "asked", "period": 1, "times": 4, "calls": "read_file notes.md"},
}
