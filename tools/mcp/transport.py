"""A way to a server, by the official SDK: its program's pipes, or streamable HTTP."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import anyio
import httpx2
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage

from tools.mcp.settings import AnyServer, HttpServer, StdioServer, fill_in

LONGEST_TAIL = 2_000
"""Bytes of a program's last words."""
_SILENCE = 30.0
"""Seconds in which an HTTP server must let itself be connected to and written to."""

Incoming = ReadStream[SessionMessage | Exception]
Outgoing = WriteStream[SessionMessage]


class Line:
    """What is known of a connection beside its messages."""

    def __init__(self) -> None:
        self.gone = False
        """Whether nothing will be heard any more."""
        self.stirred = asyncio.Event()
        """Set when it is gone, or something happened there that should be looked at."""
        self.last_words = bytearray()
        """The end of what the program wrote to its standard error."""

    def end(self) -> None:
        """Nothing will be heard any more."""
        self.gone = True
        self.stirred.set()


@asynccontextmanager
async def connected(
    server: AnyServer, variables: Mapping[str, str], line: Line
) -> AsyncIterator[tuple[Incoming, Outgoing]]:
    """Messages from the server and to it, for the block's duration. A program that was started is ended with it."""
    way = _program(server, variables, line) if isinstance(server, StdioServer) else _http(server, variables)
    async with way as (incoming, outgoing):
        yield _Watched(incoming, line), outgoing


@asynccontextmanager
async def _program(
    server: StdioServer, variables: Mapping[str, str], line: Line
) -> AsyncIterator[tuple[Incoming, Outgoing]]:
    parameters = StdioServerParameters(
        command=fill_in(server.command, variables),
        args=[fill_in(each, variables) for each in server.args],
        env={name: fill_in(value, variables) for name, value in server.env.items()},
        cwd=fill_in(server.cwd, variables) if server.cwd else None,
        encoding_error_handler="replace",
    )
    async with _listening(line) as errors:
        with open(errors, "w", closefd=False) as log:  # noqa: ASYNC230 - a pipe, at hand
            async with stdio_client(parameters, errlog=log) as streams:
                yield streams


@asynccontextmanager
async def _http(server: HttpServer, variables: Mapping[str, str]) -> AsyncIterator[tuple[Incoming, Outgoing]]:
    headers = {name: fill_in(value, variables) for name, value in server.headers.items()}
    timeout = httpx2.Timeout(_SILENCE, read=None)  # each request has a limit of its own
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout) as client,
        streamable_http_client(fill_in(server.url, variables), http_client=client) as streams,
    ):
        yield streams


@asynccontextmanager
async def _listening(line: Line) -> AsyncIterator[int]:
    """A pipe, the end of whose content is kept."""
    reading, writing = os.pipe()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: _Tail(line.last_words), os.fdopen(reading, "rb", buffering=0)
    )
    try:
        yield writing
    finally:
        os.close(writing)
        transport.close()


class _Tail(asyncio.Protocol):
    """Keeps the end of what it is told."""

    def __init__(self, kept: bytearray) -> None:
        self._kept = kept

    def data_received(self, data: bytes) -> None:
        self._kept += data
        del self._kept[:-LONGEST_TAIL]


class _Watched:
    """A stream of messages that tells when it has ended."""

    def __init__(self, stream: Incoming, line: Line) -> None:
        self._stream = stream
        self._line = line

    async def receive(self) -> SessionMessage | Exception:
        try:
            return await self._stream.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._line.end()
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
