"""What the process hands to its activities and gets back: ids and positions, never content."""

from datetime import datetime
from typing import Self

from pydantic import Field, SerializerFunctionWrapHandler, field_serializer, model_serializer
from temporalio import activity

from activities.tokens import digest_of_token
from eventlog.marks import Mark
from eventlog.streams import StreamName, ThreadId, stream_of, thread_id
from llm.messages import Frozen, JsonObject
from projections.requests import Approve, Deny, Request, StartSession


class InThread(Frozen):
    """A step of the thread whose workflow runs it: the workflow's id says which."""

    started_ms: int
    """The head of every event id of this thread."""

    @property
    def thread_id(self) -> ThreadId:
        """The thread."""
        return thread_id(activity.info().workflow_id or "")

    @property
    def stream(self) -> StreamName:
        """The stream of the thread."""
        return stream_of(self.thread_id)


class OpenSession(InThread):
    """Write the beginning of a thread."""

    started_at: datetime
    start: StartSession

    @field_serializer("start")
    def _as_given(self, start: StartSession) -> JsonObject:
        """Temporal keeps it for ever: what nobody asked for is not written."""
        return start.model_dump(exclude_defaults=True)


class ModelStep(InThread):
    """Ask the model, showing it the log up to `at`."""

    step: int
    at: int


class ToolStep(InThread):
    """Bring one tool call nearer to its outcome."""

    step: int
    """The model's reply that asked for the call: ids of calls need be unique in one reply only."""
    call: str
    at: int | None = None
    """The position up to which the process knows the stream."""

    @model_serializer(mode="wrap")
    def _short(self, handler: SerializerFunctionWrapHandler) -> JsonObject:
        return {name: value for name, value in handler(self).items() if value is not None}


class StopStep(InThread):
    """Clean up after one tool call that was stopped, and record its outcome."""

    step: int
    call: str
    kind: str
    problem: str
    """Why it was stopped, in words for the model."""
    unsafe: bool
    """Whether nobody can say that it did nothing."""


CRASHED = "Crashed"
"""The error of a quick call whose process died: nobody counts how often, so it is for the server's own attempts."""


class Tell(InThread):
    """Make the fact that a request asks for."""

    key: str
    """Identifies the request: told twice, it counts once."""
    request: Request
    token_sha256: str | None = Field(default=None, exclude_if=lambda digest: digest is None)
    """Of the token that came with an answer: the token itself is not handed on."""

    @classmethod
    def of(cls, started_ms: int, key: str, request: Request) -> Self:
        """The request to be told, without its token where it came with one."""
        if not isinstance(request, Approve | Deny) or request.token is None:
            return cls(started_ms=started_ms, key=key, request=request)
        bare, digest = request.model_copy(update={"token": None}), digest_of_token(request.token)
        return cls(started_ms=started_ms, key=key, request=bare, token_sha256=digest)


class Rest(Frozen):
    """Nothing was done, for something must be waited for: a limit on calls, or somebody who is ill."""

    seconds: float
    what: str
    """What it is: a circuit or a limit, by name."""


class Learned(Frozen):
    """What an activity has done, as marks for the process to fold."""

    marks: tuple[Mark, ...] = ()
    refused: str | None = None
    """Why the request was not done, in words for its sender."""
    rest: Rest | None = None
    """What must be waited for before it is tried again."""

    @model_serializer(mode="wrap")
    def _short(self, handler: SerializerFunctionWrapHandler) -> JsonObject:
        """Temporal keeps it for ever: what is not there is not written."""
        return {name: value for name, value in handler(self).items() if value}
