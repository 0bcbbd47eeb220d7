"""What must hold between the parts of a request to the Messages API, told in the API's own words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, SchemaError

from llm.messages import Block, JsonObject
from stack.scripted.errors import Refused
from stack.scripted.signatures import is_redacted, is_signed

MOST_BREAKPOINTS = 4


@dataclass(frozen=True, slots=True)
class Turn:
    """Consecutive messages of one role, which count as one."""

    role: str
    first: int
    """The index of its first message."""
    blocks: tuple[Block, ...]

    def ids(self, kind: str, key: str) -> list[str]:
        """The ids in blocks of this kind."""
        return [block[key] for block in self.blocks if block.get("type") == kind]


def check_rules(body: JsonObject) -> None:
    """Raise `Refused` for the first rule the request breaks; its shape has been checked."""
    messages: Sequence[JsonObject] = body["messages"]
    if not messages:
        raise Refused("messages: at least one message is required")
    if messages[0]["role"] != "user":
        raise Refused('messages: first message must use the "user" role')
    _check_content(messages)
    _check_tool_calls(turns(messages))
    _check_thoughts(messages)
    _check_tools(body.get("tools") or ())
    _check_breakpoints(body)
    _check_thinking(body)


def blocks_of(content: Any) -> tuple[Block, ...]:
    """Content as blocks, also where it is plain text."""
    return ({"type": "text", "text": content},) if isinstance(content, str) else tuple(content or ())


def turns(messages: Sequence[JsonObject]) -> list[Turn]:
    """The messages with neighbours of one role put together."""
    merged: list[Turn] = []
    for index, message in enumerate(messages):
        blocks = blocks_of(message["content"])
        if merged and merged[-1].role == message["role"]:
            last = merged.pop()
            merged.append(Turn(last.role, last.first, last.blocks + blocks))
        else:
            merged.append(Turn(message["role"], index, blocks))
    return merged


def _check_content(messages: Sequence[JsonObject]) -> None:
    last = len(messages) - 1
    for index, message in enumerate(messages):
        if not message["content"] and not (index == last and message["role"] == "assistant"):
            raise Refused(
                f"messages.{index}: all messages must have non-empty content "
                "except for the optional final assistant message"
            )
        for block in blocks_of(message["content"]):
            _check_text(block)
    _check_end(messages[last])


def _check_text(block: Block) -> None:
    if block.get("type") != "text":
        return
    if not block["text"]:
        empty = "cache_control cannot be set for empty text blocks"
        raise Refused(
            f"messages: {empty}" if block.get("cache_control") else "messages: text content blocks must be non-empty"
        )
    if not block["text"].strip():
        raise Refused("messages: text content blocks must contain non-whitespace text")


def _check_end(message: JsonObject) -> None:
    blocks = blocks_of(message["content"])
    if message["role"] == "assistant" and blocks and blocks[-1].get("type") == "text":
        text = blocks[-1]["text"]
        if text != text.rstrip():
            raise Refused("messages: final assistant content cannot end with trailing whitespace")


def _check_tool_calls(conversation: Sequence[Turn]) -> None:
    seen: set[str] = set()
    for index, turn in enumerate(conversation):
        before = conversation[index - 1] if index else None
        after = conversation[index + 1] if index + 1 < len(conversation) else None
        _check_calls(turn, after, seen)
        _check_results(turn, before)


def _check_calls(turn: Turn, after: Turn | None, seen: set[str]) -> None:
    calls = turn.ids("tool_use", "id")
    if calls and turn.role == "user":
        raise Refused(f"messages.{turn.first}: `tool_use` blocks can only be in `assistant` messages")
    if len(calls) != len(set(calls)) or seen & set(calls):
        raise Refused(f"messages.{turn.first}: `tool_use` ids must be unique")
    seen.update(calls)
    answered = set(_leading_results(after)) if after else set()
    if missing := [call for call in calls if call not in answered]:
        raise Refused(
            f"messages.{turn.first}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block "
            "in the next message."
        )


def _leading_results(turn: Turn) -> Iterator[str]:
    """The results at the head of a turn: what stands after other content comes too late."""
    for block in turn.blocks:
        if block.get("type") != "tool_result":
            return
        yield block["tool_use_id"]


def _check_results(turn: Turn, before: Turn | None) -> None:
    results = turn.ids("tool_result", "tool_use_id")
    if results and turn.role == "assistant":
        raise Refused(f"messages.{turn.first}: `tool_result` blocks can only be in `user` messages")
    asked = set(before.ids("tool_use", "id")) if before else set()
    for position, result in enumerate(results):
        if result not in asked:
            raise Refused(
                f"messages.{turn.first}.content.{position}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{result}. Each `tool_result` block must have a corresponding `tool_use` block "
                "in the previous message."
            )
        if result in results[:position]:
            raise Refused(
                f"messages.{turn.first}.content.{position}: each tool_use must have a single result. "
                f"Found multiple `tool_result` blocks with id: {result}"
            )


def _check_thoughts(messages: Sequence[JsonObject]) -> None:
    for index, message in enumerate(messages):
        for position, block in enumerate(blocks_of(message["content"])):
            where = f"messages.{index}.content.{position}"
            match block:
                case {"type": "thinking"} if not is_signed(block["thinking"], block["signature"]):
                    raise Refused(f"{where}: Invalid `signature` in `thinking` block")
                case {"type": "redacted_thinking"} if not is_redacted(block["data"]):
                    raise Refused(f"{where}: Invalid `data` in `redacted_thinking` block")
                case {"type": "thinking" | "redacted_thinking"} if message["role"] == "user":
                    raise Refused(f"{where}: `thinking` blocks can only be in `assistant` messages")


def _check_tools(tools: Sequence[JsonObject]) -> None:
    names = [tool.get("name") for tool in tools]
    if len(names) != len(set(names)):
        raise Refused("tools: Tool names must be unique.")
    for index, tool in enumerate(tools):
        if tool.get("type", "custom") in {None, "custom"}:
            _check_schema(f"tools.{index}.custom.input_schema", tool["input_schema"])


def _check_schema(where: str, schema: JsonObject) -> None:
    if schema.keys() & {"oneOf", "allOf", "anyOf"}:
        raise Refused(f"{where}: input_schema does not support oneOf, allOf, or anyOf at the top level")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise Refused(
            f"{where}: JSON schema is invalid. It must match JSON Schema draft 2020-12: {error.message}"
        ) from None


def _check_breakpoints(body: JsonObject) -> None:
    found = sum(1 for _ in _breakpoints([body.get("tools"), body.get("system"), body["messages"]]))
    found += body.get("cache_control") is not None
    if found > MOST_BREAKPOINTS:
        raise Refused(f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {found}.")


def _breakpoints(parts: Any) -> Iterator[JsonObject]:
    """Every block with a cache breakpoint, wherever it stands, except inside arguments and schemas."""
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, list):
            yield from _breakpoints(part)
        elif isinstance(part, dict):
            if part.get("cache_control"):
                yield part
            yield from _breakpoints(part.get("content"))


def _check_thinking(body: JsonObject) -> None:
    thinking = body.get("thinking") or {}
    if thinking.get("type") != "enabled":
        return
    if "max_tokens" in body and thinking["budget_tokens"] >= body["max_tokens"]:
        raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if body.get("temperature") not in {None, 1}:
        raise Refused("`temperature` may only be set to 1 when thinking is enabled.")
    if (body.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        raise Refused("Thinking may not be enabled when tool_choice forces tool use.")
