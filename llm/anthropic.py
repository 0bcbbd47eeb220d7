"""The model behind the `anthropic` SDK: Claude, also on Vertex and Bedrock, or any server that speaks its protocol."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import anthropic
import httpx2
from anthropic import AsyncStream

from llm.body import body_of
from llm.clients import AnthropicClient
from llm.errors import ModelRefusesRequest
from llm.failures import request_id_of, sdk_errors, translated
from llm.messages import Body, JsonObject, ModelReply, ModelRequest
from llm.model import Progress
from llm.reply import ReplyInProgress, broken, reply_of

_STREAMS = ("text/event-stream", "application/vnd.amazon.eventstream", "")
_SECRETS = ("api_key", "auth_token", "access_token", "aws_secret_key", "aws_session_token")
_LAST_WITH_TEMPERATURE = "2023-06-01"
"""The last version of the API that takes a temperature; from the next one on it is an error with every model."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a service wants the body: what it adds, and what moves from the body into the address."""

    adds: Mapping[str, str] = field(default_factory=dict)
    moves: frozenset[str] = frozenset()
    rewritten: bool = False
    """Whether the SDK rewrites the body itself, and so must be given it as an object."""

    def spoken(self, body: Body) -> Body:
        """The body with the service's additions."""
        return Body(body.messages, {**body.beside, **self.adds})

    def encode(self, body: Body) -> bytes:
        """The bytes that reach the service."""
        beside = {key: value for key, value in self.spoken(body).beside.items() if key not in self.moves}
        return Body(body.messages, beside).written


PLAIN = Dialect()
VERTEX = Dialect(adds={"anthropic_version": "vertex-2023-10-16"}, moves=frozenset({"model"}), rewritten=True)
BEDROCK = Dialect(
    adds={"anthropic_version": "bedrock-2023-05-31"}, moves=frozenset({"model", "stream"}), rewritten=True
)


class AnthropicModel:
    """Asks over the Messages API, streaming, once."""

    def __init__(self, client: AnthropicClient) -> None:
        self._client = client
        self._dialect = _dialect_of(client)
        found = (getattr(client, name, None) for name in _SECRETS)
        self._secrets = tuple(secret for secret in found if isinstance(secret, str))

    def encode(self, request: ModelRequest) -> bytes:
        """The exact HTTP body `answer` will send for this request."""
        return self._dialect.encode(body_of(request))

    async def answer(self, request: ModelRequest, *, idempotency_key: str, progress: Progress) -> ModelReply:
        """Ask once; `progress` hears how many characters have arrived so far."""
        body = body_of(request)
        sent = self._dialect.encode(body)
        try:
            async with await self._send(body, sent, idempotency_key) as stream:
                _check_sent(stream.response, sent)
                reply = await _read(stream, progress)
        except sdk_errors() as error:
            # The SDK's error holds the request with its key: nobody who logs ours may find it there.
            raise translated(error, self._secrets) from None
        return reply if reply.model else reply.model_copy(update={"model": request.terms.name})

    async def close(self) -> None:
        """Close the connections; the model cannot be asked afterwards."""
        await self._client.close()

    async def _send(self, body: Body, sent: bytes, idempotency_key: str) -> AsyncStream[object]:
        headers = {"Idempotency-Key": idempotency_key}
        if "temperature" in body.beside and not self._dialect.rewritten:
            headers["anthropic-version"] = _LAST_WITH_TEMPERATURE
        # What the SDK rewrites goes through our bytes once, so that it writes the same ones.
        rewritten = json.loads(self._dialect.spoken(body).written) if self._dialect.rewritten else None
        try:
            return await self._client.post(
                "/v1/messages",
                cast_to=object,
                body=rewritten,
                content=None if self._dialect.rewritten else sent,
                options={"headers": headers, "max_retries": 0},
                stream=True,
                stream_cls=AsyncStream[object],
            )
        except (TypeError, ValueError, RuntimeError) as error:
            # The SDK finds before it sends anything that it has no credentials, or that an argument is wrong.
            raise ModelRefusesRequest("configuration", f"the model cannot be asked: {error}") from None


def _dialect_of(client: AnthropicClient) -> Dialect:
    match client:
        case anthropic.AsyncAnthropicVertex():
            return VERTEX
        case anthropic.AsyncAnthropicBedrock():
            return BEDROCK
        case _:
            return PLAIN


def _check_sent(response: httpx2.Response, expected: bytes) -> None:
    """The log holds the hash of what was to be sent: if anything else was, that must not go unnoticed."""
    first = response.history[0] if response.history else response
    if first.request.content != expected:
        raise ModelRefusesRequest("request_mismatch", "the SDK sent another body than the one that was recorded")


async def _read(stream: AsyncStream[object], progress: Progress) -> ModelReply:
    headers = stream.response.headers
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        return await _read_whole(stream.response, progress)
    if media_type not in _STREAMS:
        broken(f"the server answered with {media_type}; is the base URL right?", kind="unexpected_response")
    reply = ReplyInProgress()
    while (event := await _next(stream)) is not None:
        reply.add(event)
        progress(reply.characters)
    return reply.whole(request_id_of(headers))


async def _read_whole(response: httpx2.Response, progress: Progress) -> ModelReply:
    """Some servers answer at once although they were asked to stream."""
    content = await response.aread()
    progress(len(content))
    try:
        message = json.loads(content)
    except (ValueError, RecursionError) as error:
        broken(f"it is no JSON: {error}")
    return reply_of(message, request_id_of(response.headers))


async def _next(stream: AsyncStream[object]) -> JsonObject | None:
    """The next event, verbatim; None at the end of the stream."""
    try:
        event = await anext(stream)
    except StopAsyncIteration:
        return None
    except (ValueError, RecursionError) as error:
        broken(f"an event is no JSON: {error}")
    return event if isinstance(event, dict) else broken("an event is no object")
