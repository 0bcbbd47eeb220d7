"""The model over real HTTP: the bytes that are sent, the replies that are whole, the errors that are said."""

import asyncio
import hashlib
import json
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm.anthropic import AnthropicModel
from llm.clients import anthropic_client, vertex_client
from llm.errors import ModelError, ModelRefusesRequest, ModelUnavailable
from llm.messages import Message, ModelReply, ModelRequest, TokenUsage, text_block
from tests.llm.conftest import KEY
from tests.llm.events import begin, calling, delta, end, request, saying, start, stop
from tests.llm.wire import Wire, as_error, as_events, as_json, chunked, http, serving, sse


async def ask(model: AnthropicModel, asked: ModelRequest | None = None) -> ModelReply:
    """One question without an audience."""
    return await model.answer(asked or request(), idempotency_key="key-1", progress=lambda _: None)


async def failure(model: AnthropicModel, asked: ModelRequest | None = None) -> ModelError:
    """The error that a question ends in."""
    with pytest.raises(ModelError) as raised:
        await ask(model, asked)
    return raised.value


EVERYTHING = request(
    text_block('Umlauts äöü, 😀, "quotes", \u2028 and \x00'),
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
    {"type": "tool_result", "tool_use_id": "t", "content": [{"z": 1.0, "a": 1e-7, "n": None, "big": 2**70}]},
    text_block("half a character: \ud83d"),
    tools=2,
    thinking_tokens=1024,
)


async def test_the_bytes_on_the_wire_are_the_bytes_that_were_hashed(wire: Wire, model: AnthropicModel) -> None:
    """The SHA-256 of `encode` is that of the HTTP body, whatever the request holds."""
    for asked in (request(), EVERYTHING, request(name="claude-haiku-4-5", temperature=0.5)):
        wire.will(as_events(*saying("Hi")))
        await ask(model, asked)
        expected = hashlib.sha256(model.encode(asked)).hexdigest()
        assert hashlib.sha256(wire.received[-1].body).hexdigest() == expected


@pytest.fixture
async def vertex(wire: Wire) -> AsyncIterator[AnthropicModel]:
    """The SDK's Vertex client, pointed at the server."""
    asked = AnthropicModel(
        vertex_client(project="acme", region="europe-west1", access_token="t0ken", base_url=f"{wire.url}/v1")
    )
    yield asked
    await asked.close()


async def test_vertex_gets_the_bytes_that_were_hashed_too(wire: Wire, vertex: AnthropicModel) -> None:
    """There the SDK rewrites the body; what it writes is what was foreseen."""
    for asked in (request(name="claude-opus-4-5@20251101"), EVERYTHING):
        wire.will(as_events(*saying("Hi")))
        await ask(vertex, asked)
        assert wire.received[-1].body == vertex.encode(asked)
    first, body = wire.received[0], json.loads(wire.received[0].body)
    assert first.path.endswith("/publishers/anthropic/models/claude-opus-4-5%4020251101:streamRawPredict") or (
        first.path.endswith("/publishers/anthropic/models/claude-opus-4-5@20251101:streamRawPredict")
    )
    assert (body["anthropic_version"], "model" in body) == ("vertex-2023-10-16", False)


async def test_a_reply_is_streamed_and_added_up(wire: Wire, model: AnthropicModel) -> None:
    """Thinking, text and calls arrive verbatim, with usage, stop reason and ids; progress is told."""
    thought = {"type": "thinking", "thinking": "", "signature": ""}
    call = {"type": "tool_use", "id": "toolu_1", "name": "echo", "input": {}}
    wire.will(
        as_events(
            start(cache_read_input_tokens=90, cache_creation_input_tokens=10),
            {"type": "ping"},
            begin(0, thought),
            delta(0, "thinking_delta", thinking="Hm"),
            delta(0, "signature_delta", signature="c2ln"),
            stop(0),
            begin(1, call),
            delta(1, "input_json_delta", partial_json='{"text": '),
            delta(1, "input_json_delta", partial_json='"hi"}'),
            stop(1),
            *end("tool_use"),
        )
    )
    heard: list[int] = []
    reply = await model.answer(request(), idempotency_key="key-1", progress=heard.append)
    assert reply == ModelReply(
        message_id="msg_1",
        model="claude-test",
        content=(
            {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
            {**call, "input": {"text": "hi"}},
        ),
        stop_reason="tool_use",
        usage=TokenUsage(input_tokens=3, output_tokens=7, cache_read_tokens=90, cache_write_tokens=10),
        request_id="req_head",
    )
    assert heard == sorted(heard)
    assert heard[-1] == len('Hm{"text": "hi"}')


async def test_a_reply_goes_back_as_it_came(wire: Wire, model: AnthropicModel) -> None:
    """What the model said is what it is shown in the next turn."""
    wire.will(as_events(*calling('{"b": 1, "a": [1.5, null, "é"]}')))
    reply = await ask(model)
    wire.will(as_events(*saying("Done")))
    first = request()
    said = Message("assistant", reply.content)
    await ask(model, first.model_copy(update={"messages": (first.messages[0], said, first.messages[0])}))
    assert json.loads(wire.received[1].body)["messages"][1]["content"] == list(reply.content)


async def test_the_request_carries_its_headers(wire: Wire, model: AnthropicModel) -> None:
    """Idempotency key and credentials, in both spellings for servers that know only the older one."""
    wire.will(as_events(*saying("Hi")))
    await ask(model)
    headers = wire.received[0].headers
    assert wire.received[0].path == "/v1/messages"
    assert headers["idempotency-key"] == "key-1"
    assert (headers["authorization"], headers["x-api-key"]) == (f"Bearer {KEY}", KEY)


async def test_a_temperature_is_sent_to_the_version_of_the_api_that_takes_one(
    wire: Wire, model: AnthropicModel
) -> None:
    """The newest version refuses any temperature, with every model."""
    for asked in (request(), request(temperature=0.2)):
        wire.will(as_events(*saying("Hi")))
        await ask(model, asked)
    versions = [received.headers["anthropic-version"] for received in wire.received]
    assert versions[0] != "2023-06-01"
    assert versions[1] == "2023-06-01"


async def test_a_server_that_does_not_stream_is_understood(wire: Wire, model: AnthropicModel) -> None:
    """JSON instead of events is a reply as well."""
    message = {**start()["message"], "content": [text_block("Hi")], "stop_reason": "end_turn", "model": ""}
    wire.will(as_json(message, request_id="req_json"))
    reply = await ask(model)
    assert (reply.content, reply.request_id) == ((text_block("Hi"),), "req_json")
    assert reply.model == "claude-test-4-5"


HALF = (start(), begin(0, text_block("")), delta(0, "text_delta", text="Half a"))
OVERLOADED: dict[str, Any] = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(as_events(*HALF), "broken_stream", id="ends in the middle"),
        pytest.param(as_events(*saying("Hi")[:-1]), "broken_stream", id="ends before message_stop"),
        pytest.param(as_events(*saying("Hi"))[:-1], "broken_stream", id="ends within the last event"),
        pytest.param(as_events(), "broken_stream", id="has no events"),
        pytest.param(chunked(*HALF), "broken_stream", id="loses its connection"),
        pytest.param(as_events(*HALF, OVERLOADED), "overloaded", id="breaks off with an error"),
        pytest.param(STREAM + b"event: error\ndata: oops\n\n", "server_error", id="breaks off with nonsense"),
        pytest.param(STREAM + b"event: message_start\ndata: {oops\n\n", "broken_stream", id="is no JSON"),
        pytest.param(STREAM + b"event: x\ndata: [1]\n\n", "broken_stream", id="has an event that is no object"),
        pytest.param(STREAM + b"event: x\ndata: \xff\xfe\n\n", "broken_stream", id="is no UTF-8"),
        pytest.param(
            STREAM + b"event: x\ndata: " + b"[" * 200_000 + b"\n\n", "broken_stream", id="is nested without end"
        ),
        pytest.param(http(200, b"{", content_type="application/json"), "broken_stream", id="is half of a JSON"),
        pytest.param(as_json({"choices": []}), "unexpected_response", id="is another protocol"),
        pytest.param(http(200, b"<html>", content_type="text/html"), "unexpected_response", id="is a web page"),
        pytest.param(b"", "connection", id="is silence"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", "connection", id="is no HTTP"),
    ],
)
async def test_half_a_reply_may_be_asked_for_again(
    wire: Wire, model: AnthropicModel, content: bytes, kind: str
) -> None:
    """However a reply breaks off, it is an error that may pass and never a part of a reply."""
    wire.will(content)
    error = await failure(model)
    assert isinstance(error, ModelUnavailable)
    assert error.kind == kind


async def test_a_reset_connection_may_be_asked_again(wire: Wire, model: AnthropicModel) -> None:
    """A server that dies in the middle of a reply is an error that may pass."""
    wire.will(as_events(*HALF), "abort")
    assert isinstance(await failure(model), ModelUnavailable)


@pytest.mark.parametrize("content", [b"", as_events(*HALF)], ids=["before the reply", "within the reply"])
async def test_silence_is_given_up(wire: Wire, content: bytes) -> None:
    """A server that says nothing for too long is left."""
    model = AnthropicModel(anthropic_client(api_key=KEY, base_url=wire.url, gap_timeout=0.2))
    wire.will(content, "hang")
    error = await failure(model)
    assert isinstance(error, ModelUnavailable)
    assert error.kind == "timeout"
    await asyncio.wait_for(wire.left.wait(), 30)
    await model.close()


async def test_a_stop_closes_the_connection_within_a_reply(wire: Wire, model: AnthropicModel) -> None:
    """Nobody pays for words that nobody will read."""
    wire.will(as_events(*HALF), "hang")
    streaming = asyncio.Event()
    task = asyncio.create_task(
        model.answer(request(), idempotency_key="key-1", progress=lambda count: streaming.set() if count else None)
    )
    await asyncio.wait_for(streaming.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(wire.left.wait(), 30)


async def test_a_stop_closes_the_connection_before_the_reply(wire: Wire, model: AnthropicModel) -> None:
    """A server that is still thinking sees the client leave, too."""
    wire.will(b"", "hang")
    task = asyncio.create_task(ask(model))
    await asyncio.wait_for(wire.heard.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(wire.left.wait(), 30)


async def test_an_error_is_told_once_and_with_its_details(wire: Wire, model: AnthropicModel) -> None:
    """The SDK does not retry; status, kind, time to wait and request id arrive."""
    wire.will(as_error(429, "rate_limit_error", "Slow down.", retry_after="12", request_id="req_9"))
    error = await failure(model)
    assert isinstance(error, ModelUnavailable)
    assert (error.kind, error.status, error.retry_after, error.request_id) == ("rate_limited", 429, 12.0, "req_9")
    assert error.message == "HTTP 429 (rate_limit_error): Slow down."
    assert len(wire.received) == 1


async def test_a_request_that_is_refused_stays_refused(wire: Wire, model: AnthropicModel) -> None:
    """A prompt that is too long is a permanent error with a name of its own; the body's request id will do."""
    wire.will(as_error(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"))
    error = await failure(model)
    assert isinstance(error, ModelRefusesRequest)
    assert (error.kind, error.request_id) == ("context_too_long", "req_body")


async def test_an_error_does_not_hold_the_key(wire: Wire, model: AnthropicModel) -> None:
    """Neither its message nor the traceback that is logged, even where the server repeats it."""
    wire.will(as_error(401, "authentication_error", f"invalid x-api-key {KEY}"))
    error = await failure(model)
    assert error.message == "HTTP 401 (authentication_error): invalid x-api-key ***"
    assert KEY not in "".join(traceback.format_exception(error))


async def test_a_server_that_is_not_there_may_come_back() -> None:
    """A refused connection is an error that may pass, and says what happened."""
    async with serving() as gone:
        url = gone.url
    model = AnthropicModel(anthropic_client(api_key=KEY, base_url=url))
    error = await failure(model)
    assert isinstance(error, ModelUnavailable)
    assert error.kind == "connection"
    assert error.message.startswith("ConnectError")
    await model.close()


async def test_a_body_that_was_changed_on_its_way_is_refused(wire: Wire, model: AnthropicModel) -> None:
    """If anything but the recorded bytes was sent, the reply is not taken."""
    wire.will(as_events(*saying("Hi")))
    model._client = model._client.with_options(middleware=[_meddle])
    error = await failure(model)
    assert isinstance(error, ModelRefusesRequest)
    assert error.kind == "request_mismatch"


async def _meddle(sent: Any, call_next: Any) -> Any:
    """Change what is sent."""
    sent.options.content = sent.options.content.replace(b"Hello", b"Goodbye")
    return await call_next(sent)


async def test_events_may_come_in_any_pieces(wire: Wire, model: AnthropicModel) -> None:
    """Comments, carriage returns and unknown fields of the event stream do not matter."""
    content = sse(*saying("Hi")).replace(b"\n", b"\r\n").replace(b"event:", b": hello\r\nid: 7\r\nnew: x\r\nevent:")
    wire.will(STREAM + content)
    assert (await ask(model)).content == (text_block("Hi"),)
