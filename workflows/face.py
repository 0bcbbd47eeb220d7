"""What the Temporal Web UI and `temporal workflow list` show of a session: search attributes and current details."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from projections.session import PendingCall, Session

STATUS = SearchAttributeKey.for_keyword("PerdureStatus")
TENANT = SearchAttributeKey.for_keyword("PerdureTenant")
PENDING = SearchAttributeKey.for_int("PerdurePending")


class Face:
    """Shows a session to people who look at Temporal; writes history only when something changed."""

    def __init__(self) -> None:
        self._shown: tuple[SearchAttributeUpdate[str] | SearchAttributeUpdate[int], ...] = ()

    def show(self, session: Session) -> None:
        """Bring what is shown up to date."""
        workflow.set_current_details(details(session))
        now = (
            STATUS.value_set(session.status),
            TENANT.value_set(session.tenant),
            PENDING.value_set(len(session.waiting_for_answer)),
        )
        if news := [each for each in now if each not in self._shown]:
            self._shown = now
            workflow.upsert_search_attributes(news)


def details(session: Session) -> str:
    """The session in a few lines of Markdown."""
    counts = f"{session.turns} turns · {session.tool_calls} tool calls · {session.tokens:,} tokens"
    lines = [f"**{session.status}** · {session.mode} · {counts}"]
    if session.stalled:
        lines.append(f"_{session.stalled}_")
    lines += [_question(session.thread_id, call) for call in session.waiting_for_answer]
    return "\n\n".join(lines)


def _question(thread: str, call: PendingCall) -> str:
    signal = f"temporal workflow signal --workflow-id {thread} --name approve"
    answer = f"""{signal} --input '{{"call_id": "{call.id}"}}'"""
    until = f"{call.expires_at:%Y-%m-%d %H:%M} UTC"
    return f"### Waits for approval: {call.question}\n\n`{call.id}` until {until}\n\n    {answer}"
