"""What a scripted mind can answer: a reply, or one of the ways in which a real server lets one down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

from llm.messages import Block, JsonObject, text_block
from stack.scripted.signatures import redact, sign

ToolUse: TypeAlias = tuple[str, JsonObject] | tuple[str, JsonObject, str]
"""A tool's name, its arguments, and the id of the call where it matters (else the server makes one)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole message of the model."""

    content: tuple[Block, ...]
    """Content blocks. Ids of tool calls and signatures of thoughts that are missing are filled in."""
    stop_reason: str | None = None
    """None derives it: `tool_use` where a tool is called, else `end_turn`."""
    stop_sequence: str | None = None
    pace: float | None = None
    """Seconds between the events of the stream; None takes the server's pace."""
    chunk: int = 24
    """Characters per delta."""
    usage: Mapping[str, int] | None = None
    """Overrides of the usage the server counts: `{"output_tokens": 5000}`."""

    @classmethod
    def text(cls, text: str, *, stop_reason: str | None = None) -> Self:
        """Words, and no more."""
        return cls((text_block(text),), stop_reason)

    @classmethod
    def tools(cls, *calls: ToolUse, text: str = "", thinking: str = "", stop_reason: str | None = None) -> Self:
        """Tool calls in one message, after a thought and some words if given."""
        before = (thought(thinking),) if thinking else ()
        said = (text_block(text),) if text else ()
        return cls((*before, *said, *(tool_use(*call) for call in calls)), stop_reason)

    @classmethod
    def thinking(cls, thinking: str, text: str) -> Self:
        """A thought, then words."""
        return cls((thought(thinking), text_block(text)))

    @classmethod
    def redacted(cls, thinking: str, text: str) -> Self:
        """A thought nobody may read, then words."""
        return cls((redacted_thought(thinking), text_block(text)))

    @classmethod
    def broken_off(cls, name: str, partial_json: str) -> Self:
        """A tool call whose arguments break off at the limit of tokens: `'{"path": "notes'`."""
        return cls(({**tool_use(name, {}), "partial_json": partial_json},), "max_tokens")

    def at_pace(self, pace: float, chunk: int = 24) -> Self:
        """The same reply, streamed at this pace."""
        return replace(self, pace=pace, chunk=chunk)

    def costing(self, **usage: int) -> Self:
        """The same reply with this usage, whatever the server would have counted."""
        return replace(self, usage=usage)

    @property
    def reason(self) -> str:
        """Why the model stopped."""
        if self.stop_reason is not None:
            return self.stop_reason
        return "tool_use" if any(block.get("type") == "tool_use" for block in self.content) else "end_turn"


SOMETHING = Reply.text("Something that is long enough to be sent in several pieces, so that it can go wrong midway.")
"""What is said where only the way in which it goes wrong matters."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An HTTP error instead of a reply."""

    status: int
    """400 … 529"""
    message: str = ""
    """Empty takes the usual words for the status."""
    error_type: str | None = None
    """None takes the API's type for the status."""
    retry_after: float | None = None
    """Seconds, sent as the `retry-after` header."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The connection is cut after `after` events, before the message is complete."""

    after: int
    reply: Reply = SOMETHING


@dataclass(frozen=True, slots=True)
class MidStreamError:
    """The stream says after `after` events that something went wrong; asked for JSON, it is an HTTP error."""

    after: int
    error_type: str = "overloaded_error"
    message: str = "Overloaded"
    reply: Reply = SOMETHING


@dataclass(frozen=True, slots=True)
class Stalled:
    """The stream goes silent after `after` events for so many seconds, then goes on."""

    after: int
    seconds: float
    reply: Reply = SOMETHING


@dataclass(frozen=True, slots=True)
class Raw:
    """These bytes as the body, whatever they mean."""

    body: bytes
    status: int = 200
    content_type: str = "text/event-stream"


Answer: TypeAlias = Reply | Fault | Broken | MidStreamError | Stalled | Raw
Mind: TypeAlias = Callable[[JsonObject], Answer]
"""Reads a request's body and answers it. What was said so far is in the request, so a mind needs no memory."""


def thought(thinking: str) -> Block:
    """A thinking block, signed."""
    return {"type": "thinking", "thinking": thinking, "signature": sign(thinking)}


def redacted_thought(thinking: str) -> Block:
    """A thinking block nobody can read."""
    return {"type": "redacted_thinking", "data": redact(thinking)}


def tool_use(name: str, arguments: JsonObject, call_id: str | None = None) -> Block:
    """A tool call as a block; without an id, the server gives it one."""
    return {"type": "tool_use", **({"id": call_id} if call_id else {}), "name": name, "input": arguments}
