"""What the API refuses, in its own words."""

from typing import Any

import anthropic
import httpx2
import pytest

from stack.scripted import Reply
from stack.scripted.answers import redacted_thought, thought
from tests.scripted.asking import asked, replied, result, said, talking_to

CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
TOOL = {"name": "look", "input_schema": {"type": "object"}}
CACHED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


def texts(*contents: Any) -> list[dict[str, Any]]:
    """A conversation in which the user and the model speak in turn."""
    return [said(each) if index % 2 == 0 else replied(each) for index, each in enumerate(contents)]


REFUSED: dict[str, dict[str, Any]] = {
    # shape
    "max_tokens: Field required": {"max_tokens": None},
    "max_tokens: Input should be a valid integer": {"max_tokens": "many"},
    "max_tokens: Input should be greater than or equal to 0": {"max_tokens": -1},
    "messages: Field required": {"messages": None},
    "messages.0.role: Input should be 'user', 'assistant' or 'system'": {
        "messages": [{"role": "tool", "content": "x"}]
    },
    "nonsense: Extra inputs are not permitted": {"nonsense": 1},
    "temperature: Input should be less than or equal to 1": {"temperature": 2.0},
    "temperature: Extra inputs are not permitted": {"temperature": 1.0},
    "messages.1.content.0: `document` blocks are not permitted": {
        "messages": texts("a", [{"type": "document", "source": {}}], "b")
    },
    "messages.0.content.0.text.citations: citations are not permitted": {
        "messages": texts([{"type": "text", "text": "a", "citations": [{"type": "page_location"}]}])
    },
    "messages.0.content.0.text.text: Field required": {"messages": texts([{"type": "text"}])},
    "tools.0.custom.name: String should match pattern": {"tools": [{**TOOL, "name": "no spaces"}]},
    "tools.0.custom.input_schema.type: Input should be 'object'": {
        "tools": [{**TOOL, "input_schema": {"type": "array"}}]
    },
    "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024": {
        "thinking": {"type": "enabled", "budget_tokens": 5}
    },
    # messages
    "messages: at least one message is required": {"messages": []},
    'messages: first message must use the "user" role': {"messages": [replied("hi")]},
    "messages: text content blocks must be non-empty": {"messages": texts([{"type": "text", "text": ""}])},
    "messages: text content blocks must contain non-whitespace text": {
        "messages": texts([{"type": "text", "text": " "}])
    },
    "messages.1: all messages must have non-empty content": {"messages": texts("a", [], "b")},
    "messages: final assistant content cannot end with trailing whitespace": {"messages": texts("a", "b ")},
    # tool calls
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1.": {
        "messages": texts("a", [CALL], "b")
    },
    "messages.1: `tool_use` ids were found without": {"messages": texts("a", [CALL])},
    "messages.1: `tool_use` ids were found without `tool_result`": {
        "messages": texts("a", [CALL], [{"type": "text", "text": "first this"}, result("toolu_1")])
    },
    "messages.1: `tool_use` ids must be unique": {"messages": texts("a", [CALL, CALL], [result("toolu_1")])},
    "messages.3: `tool_use` ids must be unique": {
        "messages": texts("a", [CALL], [result("toolu_1")], [CALL], [result("toolu_1")])
    },
    "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1.": {
        "messages": texts([result("toolu_1")])
    },
    "messages.2.content.1: each tool_use must have a single result.": {
        "messages": texts("a", [CALL], [result("toolu_1"), result("toolu_1")])
    },
    # thinking
    "messages.1.content.0: Invalid `signature` in `thinking` block": {
        "messages": texts("a", [{**thought("deep"), "thinking": "shallow"}, {"type": "text", "text": "b"}], "c")
    },
    "messages.1.content.0: Invalid `data` in `redacted_thinking` block": {
        "messages": texts("a", [{"type": "redacted_thinking", "data": "AAAA"}, {"type": "text", "text": "b"}], "c")
    },
    "`max_tokens` must be greater than `thinking.budget_tokens`": {
        "thinking": {"type": "enabled", "budget_tokens": 1024}
    },
    # tools and cache
    "tools: Tool names must be unique.": {"tools": [TOOL, TOOL]},
    "tools.0.custom.input_schema: input_schema does not support oneOf": {
        "tools": [{**TOOL, "input_schema": {"type": "object", "oneOf": []}}]
    },
    "tools.0.custom.input_schema: JSON schema is invalid.": {
        "tools": [{**TOOL, "input_schema": {"type": "object", "properties": 5}}]
    },
    "A maximum of 4 blocks with cache_control may be provided. Found 5.": {
        "system": [CACHED],
        "tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}],
        "messages": texts([CACHED, CACHED, CACHED]),
    },
}


@pytest.mark.parametrize("words", REFUSED)
async def test_a_request_that_breaks_a_rule_is_refused(words: str) -> None:
    """The status is 400, the type `invalid_request_error`, and the words say what is wrong."""
    body = {key: value for key, value in {**asked("hello", {}), **REFUSED[words]}.items() if value is not None}
    async with talking_to(lambda _: Reply.text("hi")) as talk:
        with pytest.raises(anthropic.BadRequestError) as raised:
            await talk.client.post("/v1/messages", body=body, cast_to=object)
    assert raised.value.type == "invalid_request_error"
    assert raised.value.api_message is not None
    assert raised.value.api_message.startswith(words)


async def test_the_older_version_takes_what_it_took() -> None:
    """A sampling parameter is an error only in the current version, and with thinking."""
    old = {"anthropic-version": "2023-06-01"}
    thinking = {"type": "enabled", "budget_tokens": 1024}
    body = asked("hello", {"temperature": 0.5, "max_tokens": 2000})
    async with talking_to(lambda _: Reply.text("hi")) as talk:
        await talk.client.post("/v1/messages", body=body, cast_to=object, options={"headers": old})
        with pytest.raises(anthropic.BadRequestError, match="`temperature` may only be set to 1"):
            await talk.client.post(
                "/v1/messages", body={**body, "thinking": thinking}, cast_to=object, options={"headers": old}
            )
        with pytest.raises(anthropic.BadRequestError, match="is not a valid version"):
            await talk.whole("hello", extra_headers={"anthropic-version": "1999-01-01"})


ACCEPTED = {
    "results before words": texts("a", [CALL], [result("toolu_1"), {"type": "text", "text": "and this"}]),
    "neighbours of one role": [
        said("a"),
        said("b"),
        replied("c"),
        replied([CALL]),
        said([result("toolu_1")]),
        said("d"),
    ],
    "results in any order": texts(
        "a", [CALL, {**CALL, "id": "toolu_2"}], [result("toolu_2"), result("toolu_1", [{"type": "text", "text": "x"}])]
    ),
    "an error, and an empty result": texts("a", [CALL], [result("toolu_1", "", is_error=True)]),
    "thoughts as they were": texts(
        "a", [thought("deep"), redacted_thought("hidden"), {"type": "text", "text": "b"}], "c"
    ),
    "a picture": texts([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]),
    "blocks nobody knows": texts("a", [{"type": "crystal_ball", "vision": 1}, {"type": "text", "text": "b"}], "c"),
    "a reply to be continued": texts("a", "half a rep"),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_a_conversation_that_keeps_the_rules_is_answered(name: str) -> None:
    """What the real API takes is taken."""
    async with talking_to(lambda _: Reply.text("hi")) as talk:
        assert (await talk.streamed(ACCEPTED[name], tools=[TOOL]))["stop_reason"] == "end_turn"


async def test_an_unknown_model_is_not_found() -> None:
    """The name of the model is in the error."""
    async with talking_to(lambda _: Reply.text("hi")) as talk:
        with pytest.raises(anthropic.NotFoundError) as raised:
            await talk.whole("hello", model="gpt-0")
    assert raised.value.api_message == "model: gpt-0"


async def test_the_key_is_checked_where_one_is_configured() -> None:
    """Without the right key nothing is answered."""
    async with talking_to(lambda _: Reply.text("hi"), api_key="secret") as talk:
        with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
            await talk.whole("hello")
        with pytest.raises(anthropic.AuthenticationError, match="x-api-key header is required"):
            await talk.whole("hello", extra_headers={"Authorization": anthropic.omit})
        await talk.client.with_options(api_key="secret").messages.create(**asked("hello", {}))


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"[]", 400), (b'{"a": "' + b"x" * 34_000_000 + b'"}', 413)]
)
async def test_a_body_that_is_no_request_is_refused(content: bytes, status: int) -> None:
    """Broken JSON, something else than an object, and too much."""
    async with talking_to(lambda _: Reply.text("hi")) as talk, httpx2.AsyncClient() as http:
        response = await http.post(
            f"{talk.server.url}/v1/messages", content=content, headers={"anthropic-version": "2023-06-01"}
        )
    assert response.status_code == status
    assert response.json()["type"] == "error"


async def test_what_is_not_served_is_told_in_the_apis_form() -> None:
    """Unknown paths and wrong methods are errors of the API, too."""
    async with talking_to(lambda _: Reply.text("hi")) as talk, httpx2.AsyncClient() as http:
        missing = await http.get(f"{talk.server.url}/v1/nothing")
        wrong = await http.get(f"{talk.server.url}/v1/messages")
        unversioned = await http.post(f"{talk.server.url}/v1/messages", json=asked("hello", {}))
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")
    assert wrong.status_code == 405
    assert unversioned.json()["error"]["message"] == "anthropic-version: header is required"


async def test_the_models_are_listed() -> None:
    """The SDK reads the list, and single models."""
    async with talking_to(lambda _: Reply.text("hi")) as talk:
        models = [model.id async for model in talk.client.models.list()]
        one = await talk.client.models.retrieve(models[0])
        with pytest.raises(anthropic.NotFoundError):
            await talk.client.models.retrieve("gpt-0")
    assert "scripted-1" in models
    assert one.id == models[0]


async def test_health_is_told() -> None:
    """A stack that starts the server can ask whether it is up."""
    async with talking_to(lambda _: Reply.text("hi")) as talk, httpx2.AsyncClient() as http:
        assert (await http.get(f"{talk.server.url}/health")).json()["status"] == "ok"
