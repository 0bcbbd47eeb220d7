"""Where a request is cut for the provider's prompt cache: what stands before a cut is read at a tenth of the price.

A conversation grows at its end only, so the cuts are: after the system prompt (or after the tools, where there is
none), after the newest user message, and after the one before it, which is the cut the previous call wrote.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llm.messages import Block, JsonObject

MOST_BREAKPOINTS = 4
"""The provider refuses a request with more."""
EPHEMERAL = {"type": "ephemeral"}
_NEVER_MARKED = frozenset({"thinking", "redacted_thinking"})


def with_breakpoints(body: JsonObject) -> JsonObject:
    """The same request with its cache breakpoints; nothing of the argument is changed, nor any assistant message."""
    messages = list(body["messages"])
    left = MOST_BREAKPOINTS - _marks(body)
    newest, before = _last_user_messages(messages)
    marked = dict(body)
    for place in (newest, "system" if body.get("system") else "tools", before):
        if left > 0 and place is not None and _mark(marked, messages, place):
            left -= 1
    marked["messages"] = messages
    return marked


def _mark(body: JsonObject, messages: list[JsonObject], place: int | str) -> bool:
    """Put a breakpoint at the end of a message or of a part of the body; whether one was added."""
    blocks = messages[place]["content"] if isinstance(place, int) else body.get(place, [])
    marked = _with_mark(blocks)
    if marked is None:
        return False
    if isinstance(place, int):
        messages[place] = {**messages[place], "content": marked}
    else:
        body[place] = marked
    return True


def _with_mark(blocks: Sequence[Block]) -> list[Block] | None:
    """The blocks with the last one that can bear it marked; None where none can, or one is marked already."""
    for index in reversed(range(len(blocks))):
        if "cache_control" in blocks[index]:
            return None
        if _can_be_marked(blocks[index]):
            return [*blocks[:index], {**blocks[index], "cache_control": EPHEMERAL}, *blocks[index + 1 :]]
    return None


def _can_be_marked(block: Block) -> bool:
    if block.get("type") == "text":
        return bool(str(block.get("text", "")).strip())
    return block.get("type") not in _NEVER_MARKED


def _last_user_messages(messages: Sequence[Mapping[str, Any]]) -> tuple[int | None, int | None]:
    """The indices of the newest user message and of the user message before it."""
    users = [index for index, message in enumerate(messages) if message["role"] == "user"]
    newest = users[-1] if users else None
    before = users[-2] if len(users) > 1 else None
    return newest, before


def _marks(body: Mapping[str, Any]) -> int:
    """How many breakpoints the request has already: people may send blocks that bear one."""
    return sum(_marks_in(message["content"]) for message in body["messages"])


def _marks_in(blocks: object) -> int:
    if not isinstance(blocks, list):
        return 0
    objects = [block for block in blocks if isinstance(block, dict)]
    return sum(("cache_control" in block) + _marks_in(block.get("content")) for block in objects)
