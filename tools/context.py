"""What a tool is told besides its arguments: injected, and never visible to the model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol

from eventlog.custom import CustomEvent
from eventlog.streams import ThreadId
from tools.errors import ToolFailed, ToolUnavailable


class Record(Protocol):
    """Takes down an event of your own."""

    def __call__(self, event: CustomEvent, *, key: str | None = None) -> None:
        """Write the event into the thread's stream, once, however often the call is tried.

        Returns at once; the event stands in the stream before the call's outcome does. Of two attempts at a call, the
        first event of a class that each records is the same event, then the second, and so on; `key` says which it is
        where their number or order may differ. Where the same event has another content, the first one stands.
        Raises `RefusedEvent` where it is no event, too large or one too many, or the call is over.
        """
        ...


def _no_secret(name: str) -> str:
    raise ToolFailed(f"there is no secret {name} outside of a worker: give one with ToolContext(secret=…)")


def _forget(event: CustomEvent, *, key: str | None = None) -> None:  # noqa: ARG001 - as `Record` has it
    event.written()


@dataclass(frozen=True, slots=True)
class ToolContext:
    """A parameter of this type is filled in by Perdure, whatever its name."""

    thread_id: ThreadId
    call_id: str
    tenant: str
    """On whose behalf the agent acts."""
    principal: str
    """Who started the session."""
    idempotency_key: str
    """The same for every attempt at this call: give it to whatever would otherwise act twice."""
    attempt: int
    """1, 2, …; never 1 where the call may have been begun before, by a process that died."""
    workspace: Path
    """The only folder the file tools may touch."""
    heartbeat: Callable[[str], None]
    """Says that a long call is alive and how far it is. Perdure beats by itself too."""
    record: Record = _forget
    """Writes an event of your own into the thread's stream. Outside of a worker it is only checked."""
    secret: Callable[[str], str] = field(default=_no_secret, compare=False, repr=False)
    """The value of a secret that the tool's capabilities name; raises `ToolFailed` where there is none."""
    cancelled: Event = field(default_factory=Event, compare=False, repr=False)
    """Set when nobody waits for the call any more: a long function that is not async looks at it now and then."""

    def stop_if_cancelled(self) -> None:
        """Raise `ToolUnavailable` once nobody waits for the call."""
        if self.cancelled.is_set():
            raise ToolUnavailable("the call was stopped")
