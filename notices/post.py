"""One HTTP POST, every part of it bounded: no redirect is followed, no proxy used, no cookie kept, nothing retried."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus

import httpx2

CONNECTIONS = 8
"""At the same time, to one endpoint."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    retry_after: float | None = None
    """Seconds, where it wants to be asked later."""
    location: str | None = None
    """Where it redirects to."""
    body: bytes = b""
    """Its beginning, as far as that was asked for."""

    @property
    def taken(self) -> bool:
        """Whether the server has taken the notice."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def told(self) -> str:
        """The status in words."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)


class NoAnswer(Exception):
    """There was none; says why, and never more of the address than its host."""


class Poster:
    """Sends to one endpoint."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._client = httpx2.AsyncClient(
            verify=tls or _tls(),
            trust_env=False,  # a proxy of the environment's would read along
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            timeout=None,  # there is one for the whole
            headers={"User-Agent": "perdure", "Accept": "*/*"},
        )

    async def close(self) -> None:
        """Let go of its connections."""
        await self._client.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float, read: int = 0) -> Answer:
        """The answer, with so many bytes of its body; raises `NoAnswer`."""
        try:
            async with asyncio.timeout(seconds):
                return await self._post(url, headers, body, read)
        except TimeoutError:
            raise NoAnswer(f"no answer within {seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
            raise NoAnswer(_why(error)) from None  # the cause may hold the address, and that may be a secret

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes, read: int) -> Answer:
        sent = {"Content-Type": "application/json", **headers}
        async with self._client.stream("POST", url, headers=sent, content=body) as answer:
            self._client.cookies.clear()
            return Answer(
                status=answer.status_code,
                retry_after=_seconds(answer.headers.get("retry-after")),
                location=answer.headers.get("location"),
                body=await _beginning(answer, read) if read else b"",
            )


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


async def _beginning(answer: httpx2.Response, most: int) -> bytes:
    """What comes first of the body; what goes wrong later changes nothing about the answer."""
    body = bytearray()
    try:
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) >= most:
                break
    except httpx2.HTTPError:
        pass
    return bytes(body[:most])


def _why(error: Exception) -> str:
    match error:
        case httpx2.ConnectError() if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "its certificate cannot be trusted (a private authority is named with SSL_CERT_FILE)"
        case httpx2.ConnectError():
            return "it cannot be reached: nobody listens, or its name is not known"
        case httpx2.RemoteProtocolError():
            return "it does not answer as HTTP wants it, or closes the connection"
        case _:
            return f"the connection failed ({type(error).__name__})"


def _seconds(header: str | None) -> float | None:
    """A Retry-After: seconds, or a date."""
    if header is None or len(header) > 64:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
