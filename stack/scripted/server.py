"""A scripted model on a free loopback port, for as long as a `with` block lasts."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import uvicorn

from stack.scripted.answers import Mind
from stack.scripted.protocol import MessagesApi
from stack.scripted.received import Received

PATIENCE = 1
"""Seconds a response that does not end may hold up the shutdown."""


class _Quiet(uvicorn.Server):
    """A server that leaves the process's signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ScriptedServer:
    """Serves one mind: `async with ScriptedServer(mind) as server: AsyncAnthropic(base_url=server.url, …)`."""

    def __init__(
        self,
        mind: Mind,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        pace: float = 0.0,
        api_key: str | None = None,
    ) -> None:
        self._api = MessagesApi(mind, pace=pace, api_key=api_key)
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The base URL for the SDK."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def requests(self) -> Sequence[Received]:
        """Every request for a message so far, in order."""
        return self._api.inbox.requests

    async def arrival(self, number: int) -> Received:
        """The request of that number (1, 2, …), as soon as it has come."""
        return await self._api.inbox.arrival(number)

    async def start(self) -> None:
        """Listen. `OSError` says that the port cannot be had."""
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._api.app,
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="critical",  # a connection that is cut on purpose is no news
            timeout_graceful_shutdown=PATIENCE,
            ws="none",
        )
        self._server = _Quiet(config)
        self._serving = asyncio.create_task(self._server.serve([listener]))

    async def stop(self) -> None:
        """Cut what is open and close the port."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        self._api.hang_up()
        await self._serving
        self._server = self._serving = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
