"""What is sent to the model."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from pydantic import ValidationError

from llm.body import body_of
from llm.errors import ModelRefusesRequest
from llm.messages import Body, JsonObject, Message, ModelRequest, ModelTerms, text_block
from llm.names import claude_version, is_self_paced, plain_name
from llm.writing import json_bytes
from tests.llm.events import request

EPHEMERAL = {"type": "ephemeral"}


def test_request_is_laid_out_as_the_messages_api_takes_it() -> None:
    """System and messages are blocks, tools are listed, the answer is streamed."""
    assert body_of(request(system="Be brief.", tools=1)).json == {
        "model": "claude-test-4-5",
        "max_tokens": 8192,
        "stream": True,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": EPHEMERAL}],
        "tools": [{"name": "tool_0", "description": "A tool.", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": EPHEMERAL}]},
        ],
    }


def test_nothing_empty_is_sent() -> None:
    """Without a system prompt and tools, neither key is there: the API refuses empty text."""
    body = body_of(request(system=" \n")).json
    assert "system" not in body
    assert "tools" not in body


def test_order_of_keys_does_not_matter() -> None:
    """The same request gives the same bytes, whatever order its nested objects were made in."""
    one = request({"type": "tool_result", "tool_use_id": "t", "content": [{"a": 1, "b": {"c": 2, "d": 3}}]})
    other = request({"content": [{"b": {"d": 3, "c": 2}, "a": 1}], "tool_use_id": "t", "type": "tool_result"})
    assert body_of(one).written == body_of(other).written


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # before 4.7, thinking has a budget
        ("claude-sonnet-4-5", {"type": "enabled", "budget_tokens": 2048}),
        ("us.anthropic.claude-opus-4-6-v1", {"type": "enabled", "budget_tokens": 2048}),
        # from 4.7 on, a budget is an error
        ("claude-opus-4-7", {"type": "adaptive"}),
        ("claude-opus-5-5", {"type": "adaptive"}),
        ("claude-mythos-preview", {"type": "adaptive"}),
        # other models behind the same protocol
        ("qwen-3", {"type": "enabled", "budget_tokens": 2048}),
    ],
)
def test_thinking_is_asked_for_as_the_model_takes_it(name: str, expected: dict[str, Any]) -> None:
    """A budget where the model takes one, else the adaptive kind."""
    assert body_of(request(name=name, thinking_tokens=2048)).json["thinking"] == expected


@pytest.mark.parametrize(
    ("terms", "sent"),
    [
        ({"name": "claude-haiku-4-5", "temperature": 0.0}, True),
        ({"name": "qwen-3", "temperature": 0.3}, True),
        ({"name": "claude-haiku-4-5"}, False),
        # not together with thinking
        ({"name": "claude-haiku-4-5", "temperature": 0.3, "thinking_tokens": 1024}, False),
        # not with a Claude that has given it up
        ({"name": "claude-sonnet-5", "temperature": 0.3}, False),
    ],
)
def test_temperature_is_sent_only_where_it_is_allowed(terms: dict[str, Any], *, sent: bool) -> None:
    """A model that takes no temperature is not refused for having been given one."""
    assert ("temperature" in body_of(request(**terms)).json) is sent


def test_thinking_leaves_room_for_the_answer() -> None:
    """A budget as large as the whole reply is a mistake that is told at once."""
    with pytest.raises(ValidationError, match=r"max_tokens \(2048\) must be more than thinking_tokens \(2048\)"):
        ModelTerms(name="claude-sonnet-4-5", max_tokens=2048, thinking_tokens=2048)


@pytest.mark.parametrize(
    ("text", "arrives"),
    [("\ud83d\ude00", "😀"), ("a\ud83db", "a\ufffdb"), ("\udc00", "\ufffd"), ("nul \x00", "nul \x00")],
)
def test_halves_of_characters_do_not_stop_a_request(text: str, arrives: str) -> None:
    """Halves that belong together are joined; a lone one is replaced."""
    body = json.loads(body_of(request(text_block(text))).written)
    assert body["messages"][0]["content"][0]["text"] == arrives


ODD = some.text(alphabet=some.characters(exclude_categories=()), max_size=8)
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | ODD,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(ODD, inner, max_size=3),
    max_leaves=8,
)
MESSAGES = some.builds(
    Message, some.sampled_from(["user", "assistant"]), some.lists(some.dictionaries(ODD, JSON)).map(tuple)
)
BESIDE = some.dictionaries(some.sampled_from(["max_tokens", "message", "messages_", "model", "system", "A"]), JSON)


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(messages=some.lists(MESSAGES, max_size=4).map(tuple), beside=BESIDE)
def test_a_body_is_written_as_if_it_were_one_object(messages: tuple[Message, ...], beside: JsonObject) -> None:
    """What is written message by message has the bytes of the whole, whatever stands in it: requests are hashed."""
    body = Body(messages, beside)
    assert body.written == json_bytes(body.json) == Body(messages, beside).written


def test_what_is_no_json_is_refused_in_words() -> None:
    """A number that JSON does not have is named, not sent."""
    with pytest.raises(ModelRefusesRequest, match="cannot be written as JSON") as refused:
        _ = body_of(request({"type": "hologram", "x": float("nan")})).written
    assert refused.value.kind == "invalid_request"


def test_blocks_of_the_assistant_are_sent_as_they_came() -> None:
    """Thinking with its signature, and a block nobody knows, go back unchanged."""
    said = (
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "xx"},
        {"type": "hologram", "beams": [1, {"x": None}]},
        {"type": "tool_use", "id": "t1", "name": "echo", "input": {"b": 1, "a": [True, 1.5]}},
    )
    messages = (
        Message(role="user", content=(text_block("Go"),)),
        Message(role="assistant", content=said),
        Message(role="user", content=({"type": "tool_result", "tool_use_id": "t1", "content": "ok"},)),
    )
    asked = ModelRequest(terms=ModelTerms(name="claude-test"), system="", messages=messages, tools=())
    assert json.loads(body_of(asked).written)["messages"][1] == {"role": "assistant", "content": list(said)}


@pytest.mark.parametrize(
    ("name", "plain", "version"),
    [
        ("claude-opus-4-5-20251101", "claude-opus-4-5", (4, 5)),
        ("claude-opus-4-5@20251101", "claude-opus-4-5", (4, 5)),
        ("anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5", (4, 5)),
        ("global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6", (4, 6)),
        ("anthropic/claude-sonnet-5", "claude-sonnet-5", (5, 0)),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet", (3, 5)),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet", (3, 7)),
        ("claude-sonnet-4-20250514", "claude-sonnet-4", (4, 0)),
        ("claude-opus-5-5[1m]", "claude-opus-5-5", (5, 5)),
        ("claude-mythos-preview", "claude-mythos-preview", None),
        ("llama3:8b", "llama3:8b", None),
    ],
)
def test_models_are_known_by_any_of_their_names(name: str, plain: str, version: tuple[int, int] | None) -> None:
    """Clouds and release dates add to a name; the model stays the same."""
    assert plain_name(name) == plain
    assert claude_version(name) == version


def test_only_claude_is_self_paced() -> None:
    """A model of another maker takes what the protocol has."""
    assert is_self_paced("claude-opus-4-7")
    assert not is_self_paced("claude-opus-4-6")
    assert not is_self_paced("scripted-1")
