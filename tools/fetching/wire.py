"""Connections to public addresses only: a name is looked up once, every answer is checked, and one of these is used.

So nothing can change between the check and the connection, whoever answers for the name.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from httpcore2 import AnyIOBackend, AsyncConnectionPool, AsyncNetworkBackend, AsyncNetworkStream, ConnectError

from tools.errors import ToolFailed, ToolUnavailable
from tools.fetching.addresses import Address

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[Address]]]
"""The addresses of a host."""
Rule: TypeAlias = Callable[[Address], str | None]
"""Why an address is not spoken to; None where it may be."""


async def resolve(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host by the system's resolver; raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ipaddress.ip_address(place[0]) for *_, place in found))


def open_wire(rule: Rule, look_up: Resolve, tls: ssl.SSLContext) -> AsyncConnectionPool:
    """Connections for one fetch: no proxy, no HTTP/2, none kept for the next."""
    return AsyncConnectionPool(ssl_context=tls, network_backend=_Guarded(rule, look_up), max_keepalive_connections=0)


class _Guarded(AsyncNetworkBackend):
    """Connects to addresses that the rule lets pass."""

    def __init__(self, rule: Rule, look_up: Resolve) -> None:
        self._rule = rule
        self._look_up = look_up
        self._network = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        """A connection to one of the host's addresses, if all of them are public."""
        addresses = await self._checked(host, port)
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except ConnectError:
                continue
        return await self._network.connect_tcp(str(addresses[-1]), port, timeout, local_address, socket_options)

    async def _checked(self, host: str, port: int) -> Sequence[Address]:
        try:
            addresses = await self._look_up(host, port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise ToolUnavailable(f"{host} could not be looked up just now") from error
            raise ToolFailed(f"there is no host {host}: check the name") from error
        except (OSError, ValueError) as error:
            raise ToolFailed(f"{host} cannot be looked up: {error}") from error
        if not addresses:
            raise ToolFailed(f"{host} has no address")
        for address in addresses:
            if (kind := self._rule(address)) is not None:
                raise ToolFailed(f"{host} leads to {kind}: only the public Internet can be fetched from")
        return addresses
