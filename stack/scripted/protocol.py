"""The Anthropic Messages API as an ASGI application: checks a request as the real one does, then asks the mind."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llm.messages import JsonObject
from stack.scripted.answers import Answer, Fault, Mind, Reply
from stack.scripted.catalogue import described, is_known, listed
from stack.scripted.delivery import Manner, Wire, delivery
from stack.scripted.errors import Refused
from stack.scripted.message import compose, new_id
from stack.scripted.received import Inbox, Outcome, Received
from stack.scripted.rules import check_rules
from stack.scripted.shapes import Asked, Counted, check_shape
from stack.scripted.tokens import PromptCache, input_tokens
from stack.scripted.versions import check_against, check_version

log = structlog.get_logger()

LARGEST_BODY = 32 * 1024 * 1024


class MessagesApi:
    """One server's worth of API: its mind, its prompt cache, and what it received."""

    def __init__(self, mind: Mind, *, pace: float = 0.0, api_key: str | None = None) -> None:
        self._mind = mind
        self._pace = pace
        self._api_key = api_key
        self._cache = PromptCache()
        self._open: set[Wire] = set()
        self.inbox = Inbox()
        self.app = Starlette(
            routes=[
                Route("/v1/messages", self._messages, methods=["POST"]),
                Route("/v1/messages/count_tokens", self._count_tokens, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/v1/models/{model}", self._model),
                Route("/health", self._health),
            ],
            exception_handlers={HTTPException: _not_served, Refused: _refused},
        )

    def hang_up(self) -> None:
        """Cut every response that is still open."""
        for wire in list(self._open):
            wire.hang_up("cut")

    async def _messages(self, request: Request) -> Response:
        body = await request.body()
        received = await self.inbox.add(body, dict(request.headers))
        try:
            asked = self._checked(request, body)
        except Refused as refused:
            return self._sent({}, refused.fault, received)
        return self._sent(asked, self._ask(asked), received)

    def _checked(self, request: Request, body: bytes) -> JsonObject:
        self._check_headers(request.headers)
        asked = parse(body)
        check_shape(asked, Asked)
        check_against(request.headers["anthropic-version"], asked)
        check_rules(asked)
        check_model(asked["model"])
        return asked

    def _check_headers(self, headers: Mapping[str, str]) -> None:
        if self._api_key is not None:
            key = key_in(headers)
            if not key:
                raise Refused("x-api-key header is required", status=401)
            if key != self._api_key:
                raise Refused("invalid x-api-key", status=401)
        check_version(headers.get("anthropic-version"))

    def _ask(self, asked: JsonObject) -> Answer:
        if asked["max_tokens"] == 0:
            return Reply((), "max_tokens")
        try:
            return self._mind(asked)
        except Exception as error:
            log.exception("scripted_mind_failed")
            return Fault(500, f"the scripted mind failed: {error!r}")

    def _sent(self, asked: JsonObject, answer: Answer, received: Received) -> Response:
        def composed(reply: Reply) -> JsonObject:
            return compose(reply, asked["model"], self._cache.charge(asked))

        request_id = new_id("req")
        plan = delivery(answer, Manner(bool(asked.get("stream")), self._pace, request_id, composed))
        received.status = plan.status

        def ended(outcome: Outcome) -> None:
            self._open.discard(wire)
            received.end(outcome)

        wire = Wire(plan, usual_headers(request_id), ended)
        self._open.add(wire)
        return wire

    async def _count_tokens(self, request: Request) -> Response:
        self._check_headers(request.headers)
        asked = parse(await request.body())
        check_shape(asked, Counted)
        check_rules(asked)
        check_model(asked["model"])
        return _json({"input_tokens": input_tokens(asked)})

    async def _models(self, request: Request) -> Response:
        self._check_headers(request.headers)
        return _json(listed())

    async def _model(self, request: Request) -> Response:
        self._check_headers(request.headers)
        model = request.path_params["model"]
        check_model(model)
        return _json(described(model))

    async def _health(self, _request: Request) -> Response:
        return _json({"status": "ok", "model": "scripted", "requests": len(self.inbox.requests)})


def key_in(headers: Mapping[str, str]) -> str:
    """The API key: newer SDKs send it as a bearer token, others in a header of its own."""
    return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")


def parse(body: bytes) -> JsonObject:
    """The body as a JSON object."""
    if len(body) > LARGEST_BODY:
        raise Refused("Request exceeds the maximum size", status=413)
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Refused(f"The request body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused("Input should be a valid dictionary or object to extract fields from")
    return value


def check_model(model: str) -> None:
    """Raise `Refused` where there is no such model."""
    if not is_known(model):
        raise Refused(f"model: {model}", status=404)


def usual_headers(request_id: str) -> Mapping[str, str]:
    """The headers of every response."""
    reset = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = {"requests": 4_000, "input-tokens": 2_000_000, "output-tokens": 400_000}
    headers = {"request-id": request_id, "anthropic-organization-id": "00000000-0000-0000-0000-000000000000"}
    for name, limit in limits.items():
        headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
        headers[f"anthropic-ratelimit-{name}-remaining"] = str(limit - 1)
        headers[f"anthropic-ratelimit-{name}-reset"] = reset
    return headers


def _json(value: JsonObject) -> Response:
    return JSONResponse(value, headers=dict(usual_headers(new_id("req"))))


def _wired(fault: Fault) -> Response:
    request_id = new_id("req")
    plan = delivery(fault, Manner(streamed=False, pace=0, request_id=request_id, compose=lambda _: {}))
    return Wire(plan, usual_headers(request_id))


async def _refused(_request: Request, error: Exception) -> Response:
    return _wired(error.fault if isinstance(error, Refused) else Fault(500))


async def _not_served(_request: Request, error: Exception) -> Response:
    return _wired(Fault(error.status_code if isinstance(error, HTTPException) else 500))
