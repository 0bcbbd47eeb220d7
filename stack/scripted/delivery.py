"""How an answer goes over the wire: a few moves, made one after another until they end or somebody hangs up."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TypeAlias, assert_never

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llm.messages import JsonObject
from stack.scripted.answers import Answer, Broken, Fault, MidStreamError, Raw, Reply, Stalled
from stack.scripted.faults import error_body, fault_headers, fault_of_type
from stack.scripted.message import without_partial
from stack.scripted.received import Outcome
from stack.scripted.sse import as_json, encode, events


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing happens for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is closed, whatever is missing."""


Move: TypeAlias = bytes | Wait | Cut


@dataclass(frozen=True, slots=True)
class Delivery:
    """An HTTP response that is not yet sent."""

    moves: Iterable[Move]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manner:
    """How the sender of a request wants to be answered, and how fast the server speaks."""

    streamed: bool
    pace: float
    """Seconds between events, where the reply does not say."""
    request_id: str
    compose: Callable[[Reply], JsonObject]
    """Makes the whole message of a reply, and charges for it."""


def delivery(answer: Answer, manner: Manner) -> Delivery:
    """The response this answer is."""
    match answer:
        case Fault():
            return _fault(answer, manner)
        case Raw():
            return Delivery([answer.body], answer.status, answer.content_type)
        case Reply() | Broken() | MidStreamError() | Stalled():
            return _streamed(answer, manner) if manner.streamed else _whole(answer, manner)
        case _:
            assert_never(answer)


def _fault(fault: Fault, manner: Manner) -> Delivery:
    body = error_body(fault, manner.request_id)
    return Delivery([as_json(body)], fault.status, headers=fault_headers(fault))


def _streamed(answer: Reply | Broken | MidStreamError | Stalled, manner: Manner) -> Delivery:
    return Delivery(_stream_moves(answer, manner), content_type="text/event-stream; charset=utf-8")


def _stream_moves(answer: Reply | Broken | MidStreamError | Stalled, manner: Manner) -> Iterator[Move]:
    reply = answer if isinstance(answer, Reply) else answer.reply
    told = map(encode, events(manner.compose(reply), reply.chunk))
    match answer:
        case Reply():
            moves: Iterator[Move] = told
        case Broken():
            moves = chain(islice(told, answer.after), [Cut()])
        case MidStreamError():
            error = {"details": None, "type": answer.error_type, "message": answer.message}
            moves = chain(islice(told, answer.after), [encode({"type": "error", "error": error})])
        case Stalled():
            moves = chain(islice(told, answer.after), [Wait(answer.seconds)], told)
        case _:
            assert_never(answer)
    return _paced(moves, manner.pace if reply.pace is None else reply.pace)


def _paced(moves: Iterator[Move], pace: float) -> Iterator[Move]:
    for move in moves:
        yield move
        if pace > 0:
            yield Wait(pace)


def _whole(answer: Reply | Broken | MidStreamError | Stalled, manner: Manner) -> Delivery:
    match answer:
        case Reply():
            message = manner.compose(answer)
            pace = manner.pace if answer.pace is None else answer.pace
            seconds = pace * sum(1 for _ in events(message, answer.chunk))
            return Delivery([Wait(seconds), as_json(without_partial(message))])
        case Broken():
            body = as_json(without_partial(manner.compose(answer.reply)))
            return Delivery([body[: len(body) // 2], Cut()])
        case MidStreamError():
            return _fault(fault_of_type(answer.error_type, answer.message), manner)
        case Stalled():
            return Delivery([Wait(answer.seconds), as_json(without_partial(manner.compose(answer.reply)))])
        case _:
            assert_never(answer)


class Wire(Response):
    """Makes the moves of a delivery."""

    def __init__(
        self, plan: Delivery, headers: Mapping[str, str], ended: Callable[[Outcome], None] = lambda _: None
    ) -> None:
        self.status_code = plan.status
        self.background = None
        self.init_headers({"content-type": plan.content_type, **headers, **plan.headers})
        self._moves = plan.moves
        self._ended = ended
        self._hung_up: asyncio.Event = asyncio.Event()
        self._outcome: Outcome = "answered"

    def hang_up(self, outcome: Outcome) -> None:
        """End the response as soon as possible."""
        if not self._hung_up.is_set():
            self._outcome = outcome
            self._hung_up.set()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Make the moves; a response that is not completed makes the HTTP server close the connection."""
        watcher = asyncio.create_task(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for move in self._moves:
                await self._make(move, send)
                if self._hung_up.is_set():
                    return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            watcher.cancel()
            self._ended(self._outcome)

    async def _make(self, move: Move, send: Send) -> None:
        match move:
            case bytes():
                await send({"type": "http.response.body", "body": move, "more_body": True})
                await asyncio.sleep(0)
            case Wait():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._hung_up.wait(), move.seconds)
            case Cut():
                self.hang_up("cut")
            case _:
                assert_never(move)

    async def _watch(self, receive: Receive) -> None:
        """Notice that the client has gone."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.hang_up("abandoned")
