"""Where a request is cut for the provider's prompt cache: what stands before a cut is read at a tenth of the price.

A conversation grows at its end only, so the cuts are: after the system prompt (or after the tools, where there is
none), after the newest user message, and after the one before it, which is the cut the previous call wrote.
"""

from collections.abc import Sequence

from llm.messages import Block, Body, JsonObject, Message

MOST_BREAKPOINTS = 4
"""The provider refuses a request with more."""
EPHEMERAL = {"type": "ephemeral"}
_NEVER_MARKED = frozenset({"thinking", "redacted_thinking"})


def with_breakpoints(body: Body) -> Body:
    """The same request with its cache breakpoints; nothing of the argument is changed, nor any assistant message."""
    messages, beside = list(body.messages), dict(body.beside)
    left = MOST_BREAKPOINTS - sum([message.breakpoints for message in messages])
    newest, before = _last_user_messages(messages)
    for place in (newest, "system" if beside.get("system") else "tools", before):
        if left > 0 and place is not None and _mark(messages, beside, place):
            left -= 1
    return Body(tuple(messages), beside)


def _mark(messages: list[Message], beside: JsonObject, place: int | str) -> bool:
    """Put a breakpoint at the end of a message or of a part beside them; whether one was added."""
    marked = _with_mark(messages[place].content if isinstance(place, int) else beside.get(place, ()))
    if marked is None:
        return False
    if isinstance(place, int):
        messages[place] = Message(messages[place].role, tuple(marked))
    else:
        beside[place] = marked
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


def _last_user_messages(messages: Sequence[Message]) -> tuple[int | None, int | None]:
    """The indices of the newest user message and of the user message before it."""
    users = (index for index in reversed(range(len(messages))) if messages[index].role == "user")
    return next(users, None), next(users, None)
