"""An HTTP server on loopback that receives notices, well or badly, and remembers what came."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

PATIENCE = 30.0
"""Seconds after which a test gives up waiting; nothing is measured by it."""


@dataclass(frozen=True)
class Received:
    """One request."""

    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """What it says."""
        return json.loads(self.body)


Behaviour: TypeAlias = "str | bytes | Callable[[asyncio.StreamWriter], Any]"
"""What is written back: a status, the very bytes, or whatever a function does with the connection."""


@dataclass
class Receiver:
    """Answers one request after another as it is told; the last behaviour stays."""

    behaviours: list[Behaviour] = field(default_factory=lambda: ["200 OK"])
    received: list[Received] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)
    port: int = 0
    connections: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def kinds(self) -> Sequence[str]:
        """What it was told of, in order."""
        return [each.json["type"] for each in self.received]

    async def until(self, count: int) -> Sequence[Received]:
        """Everything that came, as soon as it is so much."""
        async with asyncio.timeout(PATIENCE), self.came:
            await self.came.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await self._take(Received(first.split()[1], headers, body), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()

    async def _take(self, request: Received, writer: asyncio.StreamWriter) -> None:
        behave = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
        async with self.came:
            self.received.append(request)
            self.came.notify_all()
        if callable(behave):
            await behave(writer)
            return
        whole = behave if isinstance(behave, bytes) else f"HTTP/1.1 {behave}\r\nContent-Length: 0\r\n\r\n".encode()
        writer.write(whole)
        await writer.drain()


@asynccontextmanager
async def receiving(*behaviours: Behaviour) -> AsyncIterator[Receiver]:
    """A receiver for the block's duration."""
    receiver = Receiver(list(behaviours) or ["200 OK"])
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for writer in list(receiver.connections):
            writer.close()
        await server.wait_closed()
