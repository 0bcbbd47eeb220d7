"""A real HTTP server on this machine, and a fetcher that takes its address for a public one."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import Any

from tools.fetching.addresses import Address, refusal
from tools.fetching.domains import Domains
from tools.fetching.fetcher import Bounds, Fetcher

HERE = IPv4Address("127.0.0.1")


def answer(body: bytes | str = b"", status: str = "200 OK", **headers: str) -> bytes:
    """An answer as it goes over the wire; `content_type="…"` and the like are headers."""
    data = body.encode() if isinstance(body, str) else body
    named = {"content_type": "text/plain; charset=utf-8", "content_length": str(len(data)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items() if value]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "connection: close", "", ""]).encode() + data


def moved(to: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return answer(b"", status, location=to)


@dataclass
class Site:
    """What the server answers to each path, and what it was asked."""

    port: int = 0
    pages: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """Each as it came, head and all."""
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody who was kept waiting has gone."""

    def url(self, path: str = "/", host: str = "site.test", scheme: str = "http") -> str:
        """Where a page is."""
        return f"{scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; one for /silence is never answered, and one for /drip never to its end."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(head)
            path = head.split()[1]
            if path in ("/silence", "/drip"):
                await self._keep_waiting(reader, writer, dripping=path == "/drip")
            else:
                writer.write(self.pages[path])
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _keep_waiting(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, dripping: bool
    ) -> None:
        if dripping:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1000\r\n\r\na")
        await reader.read()
        self.hung_up.set()


@asynccontextmanager
async def open_site(tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """A server on a free port."""
    site = Site()
    server = await asyncio.start_server(site.serve, str(HERE), 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()


class Names:
    """A resolver for tests: each name's answers, one after the other, the last for ever."""

    def __init__(self, **answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = {name.replace("_", "."): list(given) for name, given in answers.items()}

    async def look_up(self, host: str, _port: int) -> Sequence[Address]:
        """The next answer, of addresses separated by blanks."""
        self.asked.append(host)
        with suppress(ValueError):
            return [ip_address(host)]
        if host not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such host")
        answers = self._answers[host]
        return [ip_address(each) for each in (answers.pop(0) if len(answers) > 1 else answers[0]).split()]


def but_here(address: Address) -> str | None:
    """The product's own rule, but for the one address the tests' servers have."""
    return None if address == HERE else refusal(address)


def fetcher(
    *domains: str,
    names: Names | None = None,
    tls: ssl.SSLContext | None = None,
    bounds: Mapping[str, Any] | None = None,
) -> Fetcher:
    """A fetcher that reaches this machine under the name site.test."""
    look_up = (names or Names(site_test=["127.0.0.1"])).look_up
    allowed = Domains(domains or ("*:*",))
    return Fetcher(allowed, rule=but_here, look_up=look_up, tls=tls, bounds=Bounds(**(bounds or {})))


def packed(data: bytes, times: int = 1) -> bytes:
    """The data in gzip, once or more often."""
    return packed(gzip.compress(data), times - 1) if times else data
