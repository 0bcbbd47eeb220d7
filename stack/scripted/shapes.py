"""The shape of a request to the Messages API: what each field must be, whatever it means.

The real API is checked by the same library, so a mistake is told in the same words: `max_tokens: Field required`.
Tags in parentheses are not part of those words.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, ValidationError

from llm.messages import JsonObject
from stack.scripted.errors import Refused


class Shape(BaseModel):
    """Part of a request: nothing but these fields, and no coercion."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Open(BaseModel):
    """Part of a request that may have further fields."""

    model_config = ConfigDict(extra="allow", strict=True)


class CacheControl(Shape):
    """A mark that says: cache everything up to here."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class Text(Open):
    """Plain text."""

    type: Literal["text"]
    text: str
    cache_control: CacheControl | None = None


class Thinking(Shape):
    """A thought; it cannot be a cache breakpoint."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinking(Shape):
    """A thought nobody can read."""

    type: Literal["redacted_thinking"]
    data: str


CallId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]+$")]


class ToolUse(Open):
    """A tool call."""

    type: Literal["tool_use"]
    id: CallId
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    input: dict[str, Any]
    cache_control: CacheControl | None = None


class Image(Open):
    """A picture."""

    type: Literal["image"]
    source: dict[str, Any]
    cache_control: CacheControl | None = None


class Other(Open):
    """A block of a kind this server does not look into."""

    type: str
    cache_control: CacheControl | None = None


def _tag(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) and kind in _KNOWN else "(block)"


def _form(value: Any) -> str:
    return "(text)" if isinstance(value, str) else "(blocks)"


def _result_tag(value: Any) -> str:
    kind = _tag(value)
    return kind if kind in {"text", "image"} else "(block)"


_KNOWN = {"text", "thinking", "redacted_thinking", "tool_use", "tool_result", "image"}

ResultBlock = Annotated[
    Annotated[Text, Tag("text")] | Annotated[Image, Tag("image")] | Annotated[Other, Tag("(block)")],
    Discriminator(_result_tag),
]


ResultContent = Annotated[
    Annotated[str, Tag("(text)")] | Annotated[list[ResultBlock], Tag("(blocks)")], Discriminator(_form)
]


class ToolResult(Shape):
    """What a tool call came to."""

    type: Literal["tool_result"]
    tool_use_id: CallId
    content: ResultContent | None = None
    is_error: bool | None = None
    toolset_name: str | None = None
    cache_control: CacheControl | None = None


ContentBlock = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[Thinking, Tag("thinking")]
    | Annotated[RedactedThinking, Tag("redacted_thinking")]
    | Annotated[ToolUse, Tag("tool_use")]
    | Annotated[ToolResult, Tag("tool_result")]
    | Annotated[Image, Tag("image")]
    | Annotated[Other, Tag("(block)")],
    Discriminator(_tag),
]


MessageContent = Annotated[
    Annotated[str, Tag("(text)")] | Annotated[list[ContentBlock], Tag("(blocks)")], Discriminator(_form)
]
SystemPrompt = Annotated[Annotated[str, Tag("(text)")] | Annotated[list[Text], Tag("(blocks)")], Discriminator(_form)]


class Message(Shape):
    """One message of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: MessageContent


class InputSchema(Open):
    """The JSON Schema of a tool's arguments."""

    type: Literal["object"]


class CustomTool(Open):
    """A tool of the caller's."""

    type: Literal["custom"] | None = None
    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    description: str | None = None
    input_schema: InputSchema
    cache_control: CacheControl | None = None


def _tool_tag(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return "custom" if kind in {None, "custom"} else "(tool)"


Tool = Annotated[Annotated[CustomTool, Tag("custom")] | Annotated[Other, Tag("(tool)")], Discriminator(_tool_tag)]


class EnabledThinking(Open):
    """Extended thinking within a budget of tokens."""

    type: Literal["enabled"]
    budget_tokens: int = Field(ge=1024)


class OtherThinking(Open):
    """Thinking switched off, or left to the model."""

    type: Literal["disabled", "adaptive", "between_tools"]


ThinkingTerms = Annotated[EnabledThinking | OtherThinking, Field(discriminator="type")]


class ToolChoice(Open):
    """Which tools the model may or must call."""

    type: Literal["auto", "any", "tool", "none"]


class Counted(Shape):
    """What a request for a count of tokens and a request for a message have in common."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    messages: list[Message]
    system: SystemPrompt | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: ThinkingTerms | None = None
    cache_control: CacheControl | None = None
    output_config: dict[str, Any] | None = None
    speed: str | None = None


class Asked(Counted):
    """A request for a message."""

    max_tokens: int = Field(ge=0)
    """None at all asks for nothing but the prompt cache to be filled."""
    stream: bool | None = None
    temperature: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, ge=0, le=1)
    stop_sequences: list[str] | None = None
    metadata: dict[str, Any] | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    container: Any = None
    diagnostics: dict[str, Any] | None = None
    inference_geo: str | None = None


def check_shape(body: JsonObject, shape: type[Counted]) -> None:
    """Raise `Refused` with the first thing that is wrong."""
    try:
        shape.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"] if not str(part).startswith("("))
        raise Refused(f"{where}: {first['msg']}" if where else first["msg"]) from None
