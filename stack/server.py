"""What every server of the stack can do, and how its readiness is awaited."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from stack.errors import PortTaken, ServerDied
from stack.ports import LOOPBACK, is_free
from stack.process import ServerProcess

INTERVAL = 0.05
"""Seconds between two looks at a starting server."""


class Server(Protocol):
    """One server process of the stack."""

    @property
    def process(self) -> ServerProcess:
        """Its process."""
        ...

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens."""
        ...

    async def start(self) -> None:
        """Start it and wait until it is ready; at once when it already is. Raises `StackError`."""
        ...

    async def healthy(self) -> bool:
        """Whether it answers."""
        ...

    async def stop(self) -> None:
        """End it gracefully, if it runs."""
        ...


def require_free(name: str, *ports: int) -> None:
    """Raise `PortTaken` for the first port on which somebody listens."""
    for port in ports:
        if not is_free(port):
            raise PortTaken(name, port)


async def until_ready(process: ServerProcess, healthy: Callable[[], Awaitable[bool]], timeout: float) -> None:
    """Wait for a started server's first answer. Raises `ServerDied`."""
    try:
        async with asyncio.timeout(timeout):
            while not await healthy():
                if process.find() is None:
                    raise ServerDied(process.name, process.log)
                await asyncio.sleep(INTERVAL)
    except TimeoutError:
        how = f"was not ready after {timeout:.0f} seconds"
        raise ServerDied(process.name, process.log, how) from None


async def answers_http(port: int, path: str, timeout: float = 2.0) -> bool:
    """Whether a loopback HTTP server answers 200, whatever proxies the environment names."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {LOOPBACK}\r\n\r\n".encode())
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
