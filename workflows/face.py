"""What the Temporal Web UI and `temporal workflow list` show of a session: search attributes and current details."""

from collections.abc import Mapping, Sequence
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from eventlog.inquiries import InputAction
    from projections.approval_lines import needed, progress
    from projections.budget_question import BUDGET
    from projections.session import PendingCall, Session

STATUS = SearchAttributeKey.for_keyword("PerdureStatus")
TENANT = SearchAttributeKey.for_keyword("PerdureTenant")
PENDING = SearchAttributeKey.for_int("PerdurePending")
ATTRIBUTES: Sequence[SearchAttributeKey[Any]] = (STATUS, TENANT, PENDING)
STOP = "PerdureStop"
"""The memo that says where the session was stopped."""


class Face:
    """Shows a session to people who look at Temporal; writes history only when something changed."""

    def __init__(self) -> None:
        self._shown: Sequence[object] = (None, None, None)
        self._stopped_at = ""

    def show(self, session: Session) -> None:
        """Bring what is shown up to date."""
        workflow.set_current_details(details(session))
        now = (session.status, session.tenant, len(session.waiting_for_answer))
        changes = zip(ATTRIBUTES, self._shown, now, strict=True)
        if news := [attribute.value_set(value) for attribute, before, value in changes if value != before]:
            self._shown = now
            workflow.upsert_search_attributes(news)
        if session.stopped_at != self._stopped_at:
            self._stopped_at = session.stopped_at
            workflow.upsert_memo({STOP: session.stopped_at or None})


def details(session: Session) -> str:
    """The session in a few lines of Markdown."""
    counts = f"{session.turns} turns · {session.tool_calls} tool calls · {session.tokens:,} tokens"
    lines = [f"**{session.status}** · {session.mode} · {counts}"]
    if session.stalled:
        lines.append(f"_{session.stalled}_")
    if session.stopped_at:
        lines.append(_stop(session))
    lines += [_question(session.thread_id, call) for call in session.waiting_for_answer]
    return "\n\n".join(lines)


def _stop(session: Session) -> str:
    """Where it was stopped, and how it goes on."""
    resume = f"temporal workflow signal --workflow-id {session.thread_id} --name resume"
    return f"### Stopped: {session.stopped_at}\n\n    {resume}"


def _question(thread: str, call: PendingCall) -> str:
    door, answer = _answer(call)
    command = f"temporal workflow signal --workflow-id {thread} --name {door} --input '{answer}'"
    until = f" until {call.expires_at:%Y-%m-%d %H:%M} UTC" if call.expires_at else ""
    what = f"approval{progress(call.ballot)}" if door == "approve" else "an answer"
    return f"### Waits for {what}: {call.question}\n\n`{call.id}`{until}\n\n    {command}"


def _answer(call: PendingCall) -> tuple[str, str]:
    """The signal that answers the question, and an example of what it carries."""
    if call.id == BUDGET:
        return "raise", '{"amounts": {"cost": 5}}'
    if call.action is None:
        return "approve", f'{{"call_id": "{call.id}"{needed(call.ballot)}}}'
    return "answer", f'{{"call_id": "{call.id}", "value": {_VALUES[call.action]}}}'


_VALUES: Mapping[InputAction, str] = {
    "confirm": "true",
    "choose": "1",
    "input": '"…"',
    "upload": '{"path": "…"}',
    "review": '"accept"',
}
