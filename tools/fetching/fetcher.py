"""Fetching one page: every hop is read, checked and connected to anew, and everything has a bound.

Nothing of the worker's goes along: no cookies, no credentials, no proxy from the environment, no client certificate.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus

from httpcore2 import (
    URL as WIRE_URL,
)
from httpcore2 import (
    AsyncConnectionPool,
    ConnectError,
    LocalProtocolError,
    NetworkError,
    RemoteProtocolError,
    TimeoutException,
)
from httpcore2 import (
    Response as WireResponse,
)
from httpx2 import URL, AsyncByteStream, DecodingError, InvalidURL, Response, create_ssl_context

from tools.errors import ToolFailed, ToolUnavailable
from tools.fetching.addresses import refusal
from tools.fetching.domains import Domains
from tools.fetching.places import read_place
from tools.fetching.wire import Resolve, Rule, open_wire, resolve

_MOVED = {301, 302, 303, 307, 308}
_ENCODINGS = {"", "identity", "gzip", "deflate"}
_HEADERS: Mapping[bytes | str, bytes | str] = {
    "User-Agent": "perdure",
    "Accept": "text/html, text/*;q=0.9, application/json;q=0.9, */*;q=0.5",
    "Accept-Encoding": "gzip, deflate",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far one fetch may go."""

    hops: int = 5
    """Redirects that are followed."""
    seconds: float = 30
    """For all of it, redirects included."""
    wire_bytes: int = 2_000_000
    """Of one body as it is sent."""
    body_bytes: int = 4_000_000
    """Of one body when it is unpacked."""


@dataclass(frozen=True, slots=True)
class Page:
    """What came of it."""

    url: str
    """Where it was found, after redirects."""
    status: int
    content_type: str
    """The header's whole value."""
    size: int | None
    """Bytes of the body, by the server's word."""
    body: bytes
    """Empty where it was not asked for, or not wanted."""
    cut: bool
    """Whether more was there than may be read."""
    retry_after: float | None
    """Seconds, where the server wants to be asked later."""

    @property
    def outcome(self) -> str:
        """The status in words."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)


Wanted = Callable[[str], bool]
"""Whether a body of this content type is to be read."""


class Fetcher:
    """Fetches from the domains of a list. What is not public is refused by `rule`, whatever the list says."""

    def __init__(
        self,
        domains: Domains,
        *,
        rule: Rule = refusal,
        look_up: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.domains = domains
        self._rule = rule
        self._look_up = look_up
        self._given_tls = tls
        self._bounds = bounds or Bounds()

    async def fetch(self, method: str, url: str, wanted: Wanted, progress: Callable[[str], None]) -> Page:
        """The page, after redirects. Raises `ToolFailed` and `ToolUnavailable` in words for the model."""
        place = read_place(url, self.domains)
        try:
            async with asyncio.timeout(self._bounds.seconds):
                return await self._follow(method, place, wanted, progress)
        except TimeoutError as error:
            raise ToolUnavailable(f"{place.host} did not answer in full within {self._bounds.seconds:g} s") from error

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Reads the machine's certificate authorities, so only when the first page is fetched."""
        return self._given_tls or create_ssl_context(trust_env=False)

    async def _follow(self, method: str, place: URL, wanted: Wanted, progress: Callable[[str], None]) -> Page:
        for _ in range(self._bounds.hops + 1):
            progress(f"asking {place.host}")
            async with open_wire(self._rule, self._look_up, self._tls) as wire:
                came = await self._ask(wire, method, place, wanted)
            if isinstance(came, Page):
                return came
            place = _next(place, came, self.domains)
        raise ToolFailed(f"it is redirected more than {self._bounds.hops} times, perhaps in a circle")

    async def _ask(self, wire: AsyncConnectionPool, method: str, place: URL, wanted: Wanted) -> Page | str:
        """The page, or where it has moved to."""
        target = WIRE_URL(scheme=place.raw_scheme, host=place.raw_host, port=place.port, target=place.raw_path)
        limit = dict.fromkeys(("connect", "read", "write", "pool"), self._bounds.seconds)
        try:
            async with wire.stream(method, target, headers=_HEADERS, extensions={"timeout": limit}) as answer:
                return await self._read(answer, method, place, wanted)
        except ConnectError as error:
            raise _unreachable(place.host, error) from error
        except (TimeoutException, NetworkError) as error:
            raise ToolUnavailable(f"{place.host} broke off: {error or type(error).__name__}") from error
        except (RemoteProtocolError, LocalProtocolError, DecodingError) as error:
            raise ToolFailed(f"{place.host} does not speak HTTP as it should: {error}") from error

    async def _read(self, answer: WireResponse, method: str, place: URL, wanted: Wanted) -> Page | str:
        response = Response(answer.status, headers=answer.headers, stream=_Pieces(answer))
        moved = response.headers.get("location")
        if answer.status in _MOVED and moved is not None:
            return str(moved)
        content_type = response.headers.get("content-type", "")
        read = method == "GET" and wanted(content_type)
        body, cut = await self._body(response) if read else (b"", False)
        return Page(
            url=str(place),
            status=answer.status,
            content_type=content_type,
            size=_number(response.headers.get("content-length")),
            body=body,
            cut=cut,
            retry_after=_number(response.headers.get("retry-after")),
        )

    async def _body(self, response: Response) -> tuple[bytes, bool]:
        """The body, unpacked, up to where it is too long; and whether it is."""
        if response.headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
            raise ToolFailed("the body is packed in a way that was not asked for, and cannot be read")
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > self._bounds.body_bytes or response.num_bytes_downloaded > self._bounds.wire_bytes:
                return bytes(body[: self._bounds.body_bytes]), True
        return bytes(body), False


class _Pieces(AsyncByteStream):
    """A body as it comes."""

    def __init__(self, answer: WireResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._answer.aiter_stream():
            yield piece


def _next(place: URL, moved: str, domains: Domains) -> URL:
    try:
        return read_place(str(place.join(moved)), domains)
    except (InvalidURL, ToolFailed) as error:
        raise ToolFailed(f"{place.host} redirects to a place that is not fetched: {error}") from error


def _unreachable(host: str, error: ConnectError) -> Exception:
    reason: object = error
    while isinstance(reason, ConnectError) and reason.args:  # it wraps what it comes from, and drops its cause
        reason = reason.args[0]
    if isinstance(reason, ssl.SSLError):
        return ToolFailed(f"{host} cannot be trusted, its TLS does not hold: {reason}")
    return ToolUnavailable(f"{host} cannot be reached: {error}")


def _number(header: str | None) -> int | None:
    return int(header) if header is not None and header.isdecimal() and len(header) < 16 else None
