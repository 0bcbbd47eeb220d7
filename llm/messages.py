"""The words of a conversation with a model: blocks, messages, a request and its reply.

A block is kept as the JSON object the provider sent, so that every block, also one not yet known, survives
a round trip unchanged. The shapes are those of the Anthropic Messages API.
"""

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

JsonObject = dict[str, Any]
Block = JsonObject
"""One content block, verbatim: `{"type": "text", "text": …}`, `{"type": "tool_use", …}`, …"""

Role = Literal["user", "assistant"]


class Frozen(BaseModel):
    """Plain data: never changed after it is made, and made of known fields only."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Frozen):
    """One message of the conversation."""

    role: Role
    content: tuple[Block, ...]


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
