"""The SDK's clients are built from plain arguments."""

import importlib.util

import anthropic
import pytest

from llm.anthropic import AnthropicModel
from llm.clients import anthropic_client, bedrock_client, vertex_client
from llm.errors import ModelRefusesRequest
from tests.llm.events import request, saying
from tests.llm.wire import Wire, as_events


@pytest.mark.parametrize("key", [None, "", " \n"])
def test_claude_needs_a_key(key: str | None) -> None:
    """The missing key is named before anything is asked."""
    with pytest.raises(ModelRefusesRequest, match="ANTHROPIC_API_KEY"):
        anthropic_client(api_key=key)


async def test_another_server_may_need_none(wire: Wire) -> None:
    """With a base URL, no key is a key as well."""
    wire.will(as_events(*saying("Hi")))
    model = AnthropicModel(anthropic_client(api_key=None, base_url=wire.url))
    await model.answer(request(), idempotency_key="k", progress=lambda _: None)
    await model.close()
    assert wire.received[0].headers["x-api-key"] == "none"


async def test_a_key_may_have_a_line_break(wire: Wire) -> None:
    """A key that was read from a file works all the same."""
    wire.will(as_events(*saying("Hi")))
    model = AnthropicModel(anthropic_client(api_key="secret\n", base_url=wire.url))
    await model.answer(request(), idempotency_key="k", progress=lambda _: None)
    await model.close()
    assert wire.received[0].headers["x-api-key"] == "secret"


async def test_a_server_on_this_machine_is_asked_past_the_proxy(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's proxy does not know our loopback address."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    wire.will(as_events(*saying("Hi")))
    model = AnthropicModel(anthropic_client(api_key="k", base_url=wire.url))
    await model.answer(request(), idempotency_key="k", progress=lambda _: None)
    await model.close()
    assert len(wire.received) == 1


@pytest.mark.skipif(importlib.util.find_spec("google.auth") is not None, reason="the extra is installed")
def test_vertex_without_its_extra_says_what_to_install() -> None:
    """The command stands in the error."""
    with pytest.raises(ModelRefusesRequest, match=r"pip install 'perdure\[vertex\]'"):
        vertex_client(project="acme", region="europe-west1")


@pytest.mark.skipif(importlib.util.find_spec("botocore") is not None, reason="the extra is installed")
def test_bedrock_without_its_extra_says_what_to_install() -> None:
    """The command stands in the error."""
    with pytest.raises(ModelRefusesRequest, match=r"pip install 'perdure\[bedrock\]'"):
        bedrock_client(region="eu-west-1")


async def test_bedrock_gets_model_and_stream_in_the_address() -> None:
    """They are no part of the body that is hashed there."""
    client = anthropic.AsyncAnthropicBedrock(aws_region="eu-west-1", api_key="k", open_telemetry=False)
    body = AnthropicModel(client).encode(request(name="anthropic.claude-opus-4-5-20251101-v1:0"))
    assert body.startswith(b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":8192,"messages":')
    assert b'"model":' not in body
    assert b'"stream":' not in body
    await client.close()
