"""The words of a conversation with a model: blocks, messages, a request, its body, and its reply.

A block is kept as the JSON object the provider sent, so that every block, also one not yet known, survives
a round trip unchanged. The shapes are those of the Anthropic Messages API.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llm.writing import json_bytes

JsonObject = dict[str, Any]
Block = JsonObject
"""One content block, verbatim: `{"type": "text", "text": …}`, `{"type": "tool_use", …}`, …"""

Role = Literal["user", "assistant"]


class Frozen(BaseModel):
    """Plain data: never changed after it is made, and made of known fields only."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Message:
    """One message of the conversation."""

    role: Role
    content: tuple[Block, ...]

    @property
    def json(self) -> JsonObject:
        """The message as the Messages API takes it."""
        return {"role": self.role, "content": list(self.content)}

    @cached_property
    def written(self) -> bytes:
        """It as JSON, written once: a conversation is sent again with every call. Raises `ModelRefusesRequest`."""
        return json_bytes(self.json)

    @cached_property
    def breakpoints(self) -> int:
        """How many marks for the provider's cache are in it already: people may send blocks that bear one."""
        return _breakpoints_in(list(self.content))


def _breakpoints_in(blocks: object) -> int:
    if not isinstance(blocks, list):
        return 0
    objects = [block for block in blocks if isinstance(block, dict)]
    return sum(("cache_control" in block) + _breakpoints_in(block.get("content")) for block in objects)


class ToolSpec(Frozen):
    """A tool as the model sees it."""

    name: str
    description: str
    input_schema: JsonObject


class ModelTerms(Frozen):
    """Which model is asked, and how: the part of a request that stays the same for a whole thread."""

    name: str
    max_tokens: int = Field(default=8192, gt=0)
    """The most tokens one reply may have."""
    temperature: float | None = Field(default=None, ge=0, le=1)
    """Left out for models that take none: Claude from 4.7 on, and any model while it thinks."""
    thinking_tokens: int | None = Field(default=None, ge=1024)
    """The budget for extended thinking in tokens, a part of `max_tokens`; none leaves thinking to the model's default.
    Claude from 4.7 on takes no number: there, a budget asks for thinking, and the model decides how much."""

    @model_validator(mode="after")
    def _leaves_room_to_answer(self) -> Self:
        if self.thinking_tokens is not None and self.thinking_tokens >= self.max_tokens:
            raise ValueError(
                f"max_tokens ({self.max_tokens}) must be more than thinking_tokens ({self.thinking_tokens})"
            )
        return self


class ModelRequest(Frozen):
    """Everything one model call is made of."""

    terms: ModelTerms
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """A request as the Messages API takes it: its messages, and by name what stands beside them."""

    messages: tuple[Message, ...]
    beside: JsonObject

    @property
    def json(self) -> JsonObject:
        """The body as one object."""
        return {**self.beside, "messages": [message.json for message in self.messages]}

    @property
    def written(self) -> bytes:
        """The bytes that are sent and hashed: `json_bytes` of `json`, out of messages that are written already."""
        return b"".join(self._pieces())  # once: they may be megabytes

    def _pieces(self) -> Iterator[bytes]:
        before = b"{"
        for name in sorted({*self.beside, "messages"}):
            yield b"%s%s:" % (before, json_bytes(name))
            if name == "messages":
                yield from _listed(self.messages)
            else:
                yield json_bytes(self.beside[name])
            before = b","
        yield b"}"


def _listed(messages: Sequence[Message]) -> Iterator[bytes]:
    before = b"["
    for message in messages:
        yield before
        yield message.written
        before = b","
    yield b"]" if messages else b"[]"


class TokenUsage(Frozen):
    """What one call used, in tokens."""

    input_tokens: int = 0
    """Input read at full price: neither from the cache nor written to it."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def total(self) -> int:
        """Every token that was read or written."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens


class ModelReply(Frozen):
    """What the model answered, whole."""

    message_id: str
    model: str
    content: tuple[Block, ...]
    stop_reason: str
    """The provider's word: end_turn, tool_use, max_tokens, stop_sequence, pause_turn, refusal, or one not known yet."""
    usage: TokenUsage
    request_id: str | None = None
    """The provider's id of the HTTP request, for its support."""


def text_block(text: str) -> Block:
    """Plain text as a block."""
    return {"type": "text", "text": text}


def text_of(content: Sequence[Block]) -> str:
    """All text of the blocks, in order."""
    return "".join(str(block.get("text", "")) for block in content if block.get("type") == "text")
