"""What the Messages API demands of every request: one function for each rule, which says what broke it."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from llm.messages import Block, Message, ModelRequest

Rule = Callable[[ModelRequest], str | None]


def the_first_message_is_the_users(request: ModelRequest) -> str | None:
    """A conversation begins with a person."""
    return None if request.messages and request.messages[0].role == "user" else "it does not begin with a user message"


def roles_alternate(request: ModelRequest) -> str | None:
    """Nobody speaks twice in a row."""
    twice = [one.role for one, next_ in pairwise(request.messages) if one.role == next_.role]
    return f"twice in a row: {twice}" if twice else None


def no_message_is_empty(request: ModelRequest) -> str | None:
    """Every message says something."""
    empty = [index for index, message in enumerate(request.messages) if not message.content]
    return f"empty messages: {empty}" if empty else None


def no_text_is_blank(request: ModelRequest) -> str | None:
    """Every text, also in results, has a character that can be seen."""
    blank = [block for block in every_block(request) if block["type"] == "text" and not block["text"].strip()]
    return f"{len(blank)} blank texts" if blank else None


def tool_call_ids_are_unique(request: ModelRequest) -> str | None:
    """No two calls of the whole conversation have the same id."""
    ids = [block["id"] for block in every_block(request) if block["type"] == "tool_use"]
    return None if len(ids) == len(set(ids)) else f"repeated ids: {ids}"


def every_call_has_its_result_next(request: ModelRequest) -> str | None:
    """The message after a reply begins with one result for each of its calls, in call order; no other has any."""
    for before, message in pairwise([None, *request.messages]):
        assert message is not None
        wanted = calls_of(before) if before is not None and before.role == "assistant" else []
        given = [block["tool_use_id"] for block in message.content if block["type"] == "tool_result"]
        if message.role == "user" and given != wanted:
            return f"calls {wanted} got results {given}"
        if any(block["type"] != "tool_result" for block in message.content[: len(given)]):
            return "something stands before a result"
    return None


def calls_stand_in_replies_only(request: ModelRequest) -> str | None:
    """Only the model calls tools, only the user gives results."""
    for message in request.messages:
        wrong = "tool_use" if message.role == "user" else "tool_result"
        if any(block["type"] == wrong for block in message.content):
            return f"a {wrong} in a message of the {message.role}"
    return None


def no_reply_ends_with_a_thought(request: ModelRequest) -> str | None:
    """A reply that somebody answers has words or calls after its thoughts."""
    for message in request.messages[:-1]:
        if message.role == "assistant" and message.content[-1]["type"] in ("thinking", "redacted_thinking"):
            return "a reply ends with a thought"
    return None


RULES: Sequence[Rule] = (
    the_first_message_is_the_users,
    roles_alternate,
    no_message_is_empty,
    no_text_is_blank,
    tool_call_ids_are_unique,
    every_call_has_its_result_next,
    calls_stand_in_replies_only,
    no_reply_ends_with_a_thought,
)
"""Whatever is sent fulfils all of them."""


def broken(request: ModelRequest) -> dict[str, str]:
    """The rules a request breaks, each with how."""
    return {rule.__name__: problem for rule in RULES if (problem := rule(request)) is not None}


def calls_of(message: Message) -> list[str]:
    """The ids of the calls in a message."""
    return [block["id"] for block in message.content if block["type"] == "tool_use"]


def every_block(request: ModelRequest) -> Iterator[Block]:
    """Every block of a request, and those within results."""
    for message in request.messages:
        for block in message.content:
            yield block
            if block["type"] == "tool_result":
                yield from block["content"]
