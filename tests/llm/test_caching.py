"""Where the prompt cache cuts a request."""

import copy
from typing import Any

import pytest

from llm.caching import MOST_BREAKPOINTS, with_breakpoints
from llm.messages import Body, Message

MARK = {"type": "ephemeral"}


def text(words: str, **more: Any) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": words, **more}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    """What the user says."""
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    """What the model said."""
    return {"role": "assistant", "content": list(blocks)}


def body_of(body: dict[str, Any]) -> Body:
    """A body of these parts."""
    messages = tuple(Message(message["role"], tuple(message["content"])) for message in body["messages"])
    return Body(messages, {name: part for name, part in body.items() if name != "messages"})


def cut(body: dict[str, Any]) -> dict[str, Any]:
    """The same with its breakpoints."""
    return with_breakpoints(body_of(body)).json


def marked(body: dict[str, Any]) -> list[str]:
    """Where the request has its breakpoints, as paths."""
    places = [f"system/{n}" for n, block in enumerate(body.get("system", [])) if "cache_control" in block]
    places += [f"tools/{n}" for n, tool in enumerate(body.get("tools", [])) if "cache_control" in tool]
    for m, message in enumerate(body["messages"]):
        places += [f"{m}/{n}" for n, block in enumerate(message["content"]) if "cache_control" in block]
    return places


@pytest.mark.parametrize(
    ("body", "places"),
    [
        pytest.param({"system": [text("S")], "messages": [user(text("a"))]}, ["system/0", "0/0"], id="first turn"),
        pytest.param(
            {"tools": [{"name": "x"}, {"name": "y"}], "messages": [user(text("a"))]},
            ["tools/1", "0/0"],
            id="no system prompt",
        ),
        pytest.param(
            {"system": [text("S")], "tools": [{"name": "x"}], "messages": [user(text("a"), text("b"))]},
            ["system/0", "0/1"],
            id="the tools stand before the system prompt and are cached with it",
        ),
        pytest.param(
            {"messages": [user(text("a")), assistant(text("b")), user(text("c")), assistant(), user(text("d"))]},
            ["2/0", "4/0"],
            id="the last two user messages",
        ),
        pytest.param({"messages": [user(text("a"), text(" "))]}, ["0/0"], id="not on empty text"),
        pytest.param(
            {"messages": [user(text("a"), {"type": "thinking", "thinking": "t"})]}, ["0/0"], id="not on thinking"
        ),
        pytest.param({"messages": [user(text(""))]}, [], id="nothing to mark"),
        pytest.param(
            {"messages": [user({"type": "image", "source": {}}), user({"type": "tool_result", "content": "r"})]},
            ["0/0", "1/0"],
            id="images and tool results",
        ),
        pytest.param({"messages": []}, [], id="no messages"),
    ],
)
def test_breakpoints_stand_on_the_stable_prefix(body: dict[str, Any], places: list[str]) -> None:
    """After what stays the same, and nowhere a mark is an error."""
    assert marked(cut(body)) == places


def test_no_more_than_the_provider_allows() -> None:
    """Breakpoints that people sent count, also within a tool's result; the newest message is marked first."""
    within = {"type": "tool_result", "content": [text("x", cache_control=MARK), text("y", cache_control=MARK)]}
    body = {"system": [text("S")], "messages": [user(text("old", cache_control=MARK)), user(within), user(text("new"))]}
    assert marked(cut(body)) == ["0/0", "2/0"]
    crowded = {"messages": [user(*(text(str(n), cache_control=MARK) for n in range(MOST_BREAKPOINTS)), text("z"))]}
    assert cut(crowded) == crowded


def test_the_argument_is_not_changed() -> None:
    """The blocks are the log's; marking copies them."""
    body = {"system": [text("S")], "tools": [{"name": "x"}], "messages": [user(text("a")), user(text("b"))]}
    before = copy.deepcopy(body)
    with_breakpoints(body_of(body))
    assert body == before
