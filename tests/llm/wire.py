"""A server that answers with exactly the bytes it is told to, and that notices when the client goes away."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

Ending = Literal["close", "abort", "hang"]
"""What comes after the bytes: a clean end, a reset connection, or silence until the client leaves."""


@dataclass(frozen=True)
class Answer:
    """What one request gets."""

    content: bytes
    ending: Ending = "close"


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """The server: the answers it will give, and what it has heard."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    """A request has come."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """The client has closed a connection."""

    def will(self, content: bytes, ending: Ending = "close") -> None:
        """Answer the next request like this."""
        self.answers.append(Answer(content, ending))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request and answer it."""
        try:
            self.received.append(await _request(reader))
            self.heard.set()
            answer = self.answers.pop(0)
            writer.write(answer.content)
            await writer.drain()
            if answer.ending == "abort":
                writer.transport.abort()
            elif answer.ending == "hang":
                await reader.read()
                self.left.set()
        except ConnectionError:
            self.left.set()
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> Received:
    """The next request of a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(head[0].split(" ")[1], headers, body)


@asynccontextmanager
async def serving() -> AsyncIterator[Wire]:
    """A server on a free port, for the block's duration."""
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        await server.wait_closed()


def http(status: int, content: bytes = b"", **headers: str) -> bytes:
    """An HTTP response whose body ends with the connection."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Whatever", "connection: close", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


def as_json(value: Any, status: int = 200, **headers: str) -> bytes:
    """An HTTP response that is JSON."""
    return http(status, json.dumps(value).encode(), content_type="application/json", **headers)


def as_error(status: int, kind: str, message: str, **headers: str) -> bytes:
    """An error as the API sends it."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_body"}
    return as_json(body, status, **headers)


def as_events(*events: dict[str, Any], **headers: str) -> bytes:
    """An HTTP response that is a stream of events."""
    return http(200, sse(*events), content_type="text/event-stream; charset=utf-8", request_id="req_head", **headers)


def sse(*events: dict[str, Any]) -> bytes:
    """The events as the API writes them."""
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def chunked(*events: dict[str, Any]) -> bytes:
    """A response of chunks without the chunk that ends it."""
    content = sse(*events)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + f"{len(content):x}\r\n".encode() + content + b"\r\n"
