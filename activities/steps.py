"""What the process hands to its activities and gets back: ids and positions, never content."""

from datetime import datetime

from pydantic import Field

from eventlog.events import Mark
from eventlog.streams import StreamName, ThreadId, stream_of
from llm.messages import Frozen
from projections.requests import Request, StartSession


class InThread(Frozen):
    """A step's whereabouts."""

    thread: str
    started_ms: int
    """The head of every event id of this thread."""

    @property
    def thread_id(self) -> ThreadId:
        """The thread, typed."""
        return ThreadId(self.thread)

    @property
    def stream(self) -> StreamName:
        """The stream of the thread."""
        return stream_of(self.thread_id)


class OpenSession(Frozen):
    """Write the beginning of a thread."""

    thread: str
    started_at: datetime
    start: StartSession


class ModelStep(InThread):
    """Ask the model, showing it the log up to `at`."""

    step: int
    at: int


class ToolStep(InThread):
    """Bring one tool call nearer to its outcome."""

    step: int
    """The model's reply that asked for the call: ids of calls need be unique in one reply only."""
    call: str


class Tell(InThread):
    """Make the fact that a request asks for."""

    key: str
    """Identifies the request: told twice, it counts once."""
    request: Request


class Learned(Frozen):
    """What an activity has done, as marks for the process to fold."""

    marks: tuple[Mark, ...] = ()
    refused: str | None = Field(default=None)
    """Why the request was not done, in words for its sender."""
