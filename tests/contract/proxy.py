"""A connection that breaks where a test wants it to: a TCP proxy before PostgreSQL."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from psycopg.conninfo import conninfo_to_dict, make_conninfo

Breakage = Literal["before", "during", "after"]
"""Break the connection before the database has heard of the write, while it may be at it, or after it has committed."""

_WRITE = re.compile(rb"write_message|append_batch|append_undisputed")
_PREPARED = re.compile(rb"P.{4}([^\0]+)\0[^\0]*(?:write_message|append_batch|append_undisputed)", re.DOTALL)
"""A write that the database is asked to remember; what follows names it only."""
_READY_FOR_QUERY = b"Z\0\0\0\x05I"


class Proxy:
    """Passes bytes on, and breaks the connections of the next writes in the ways it was told to."""

    def __init__(self, host: str, port: int, write: re.Pattern[bytes] = _WRITE) -> None:
        self._target = (host, port)
        self._write = write
        self.breakages: list[Breakage] = []
        """What becomes of the next writes; then it passes everything on."""
        self.broken = 0
        self.refused = 0
        """Connections that were turned away."""
        self._is_away = False
        self._clients: set[asyncio.StreamWriter] = set()

    def away(self) -> None:
        """The database is gone, and all its connections with it."""
        self._is_away = True
        for client in self._clients:
            client.close()

    def back(self) -> None:
        """The database takes connections again."""
        self._is_away = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it or a breakage does."""
        if self._is_away:
            self.refused += 1
            writer.close()
            return
        self._clients.add(writer)
        database_reader, database_writer = await asyncio.open_connection(*self._target)
        answers = asyncio.create_task(_pass_on(database_reader, writer))
        remembered: set[bytes] = set()
        try:
            while data := await reader.read(1_000_000):
                remembered.update(_PREPARED.findall(data))
                if self.breakages and (self._write.search(data) or any(name in data for name in remembered)):
                    await self._break(self.breakages.pop(0), data, answers, database_reader, database_writer)
                    return
                database_writer.write(data)
                await database_writer.drain()
        except ConnectionError:
            pass
        finally:
            self._clients.discard(writer)
            answers.cancel()
            database_writer.close()
            writer.close()

    async def _break(
        self,
        breakage: Breakage,
        data: bytes,
        answers: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Let the client never hear what became of this write."""
        self.broken += 1
        answers.cancel()
        await asyncio.gather(answers, return_exceptions=True)
        if breakage != "before":
            writer.write(data)
            await writer.drain()
        if breakage == "after":
            await reader.readuntil(_READY_FOR_QUERY)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything that comes in goes out, until one side ends it."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


@asynccontextmanager
async def proxied(url: str, write: re.Pattern[bytes] = _WRITE) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before the database at this address, and the address that leads through it.

    What a write is can be told by what the client sends.
    """
    parts = conninfo_to_dict(url)
    proxy = Proxy(str(parts["host"]), int(str(parts["port"])), write)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield proxy, make_conninfo(url, host="127.0.0.1", port=port)
    finally:
        server.close()
        await server.wait_closed()
