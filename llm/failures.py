"""What the SDK raises, said in our two words: `ModelUnavailable` may go away, `ModelRefusesRequest` will not.

An answer with a status is judged by its status, and a few causes the provider names by a code are judged by that.
Every other class of the SDK and of its HTTP library has its line in `_CLASSES`; a subclass is judged as its parent.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import anthropic
import httpx2

from llm.errors import ModelError, ModelRefusesRequest, ModelUnavailable

LONGEST_MESSAGE = 2000
"""Characters of a provider's explanation that are kept."""
SHORTEST_SECRET = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure is called, and whether asking again may help."""

    kind: str
    transient: bool


def _may_pass(kind: str) -> Verdict:
    return Verdict(kind, transient=True)


def _stays(kind: str) -> Verdict:
    return Verdict(kind, transient=False)


_STATUSES: Mapping[int, Verdict] = {
    400: _stays("invalid_request"),
    401: _stays("authentication"),
    402: _stays("billing"),
    403: _stays("permission"),
    404: _stays("not_found"),
    408: _may_pass("timeout"),
    409: _may_pass("conflict"),
    412: _stays("invalid_request"),
    413: _stays("context_too_long"),
    421: _may_pass("connection"),
    422: _stays("invalid_request"),
    423: _may_pass("conflict"),
    425: _may_pass("conflict"),
    429: _may_pass("rate_limited"),
    431: _stays("invalid_request"),
    499: _may_pass("connection"),
    501: _stays("not_implemented"),
    503: _may_pass("unavailable"),
    504: _may_pass("timeout"),
    505: _stays("not_implemented"),
    529: _may_pass("overloaded"),
}
_TYPES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    "ValidationException": 400,
    "ThrottlingException": 429,
}
"""The status an error would have had, had it come before the stream began; the last two are Bedrock's words."""
_CODES: Mapping[str, Verdict] = {
    "request_body_timeout": _may_pass("timeout"),
    "contract_spend_limit_reached": _stays("billing"),
    "enforced_spend_limit_reached": _stays("billing"),
}
"""Causes that are judged otherwise than their status: a spent budget is not a matter of seconds."""
_PHRASES: Mapping[str, Verdict] = {
    "prompt is too long": _stays("context_too_long"),
    "input is too long": _stays("context_too_long"),
    "exceed context limit": _stays("context_too_long"),
    "maximum context length": _stays("context_too_long"),
    "credit balance is too low": _stays("billing"),
}
"""A status 400 has no code for these; they are told by the provider's words, for want of anything better."""

_CLASSES: Mapping[type[Exception], Verdict] = {
    anthropic.APIResponseValidationError: _may_pass("unexpected_response"),
    anthropic.APIWebhookValidationError: _stays("sdk"),
    anthropic.APITimeoutError: _may_pass("timeout"),
    anthropic.APIConnectionError: _may_pass("connection"),
    anthropic.RetryableError: _may_pass("unavailable"),
    anthropic.IdentityTokenFileError: _may_pass("credentials"),
    anthropic.CredentialsError: _stays("credentials"),
    anthropic.WorkloadIdentityError: _may_pass("credentials"),
    anthropic.AnthropicError: _stays("sdk"),
    httpx2.TimeoutException: _may_pass("timeout"),
    httpx2.UnsupportedProtocol: _stays("configuration"),
    httpx2.LocalProtocolError: _stays("configuration"),
    httpx2.InvalidURL: _stays("configuration"),
    httpx2.TooManyRedirects: _stays("configuration"),
    httpx2.HTTPError: _may_pass("broken_stream"),
    httpx2.StreamError: _may_pass("broken_stream"),
    httpx2.CookieConflict: _may_pass("unexpected_response"),
}
_CLOUD_CLASSES = (
    ("google.auth.exceptions", "GoogleAuthError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.eventstream", "ParserError"),
    ("botocore.parsers", "ResponseParserError"),
)
"""What the clouds' own libraries raise, over credentials and broken streams; they are there only with their extra."""


def sdk_errors() -> tuple[type[Exception], ...]:
    """Everything that may come out of the SDK when it is asked."""
    clouds = (getattr(sys.modules[module], name) for module, name in _CLOUD_CLASSES if module in sys.modules)
    return (*_CLASSES, *clouds)


def translated(error: Exception, secrets: tuple[str, ...] = ()) -> ModelError:
    """The same failure in our words, without any of the secrets."""
    if isinstance(error, anthropic.APIStatusError):
        return _from_status(error, secrets)
    cause = _cause(error)
    verdict = verdict_of(cause if isinstance(cause, _MISCONFIGURED) else error)
    return _error(verdict, _without(secrets, _told(error)))


def verdict_of(error: Exception) -> Verdict:
    """How a failure without a status is judged: as the nearest of its classes that is known."""
    kind = "credentials" if type(error).__module__.endswith(".exceptions") else "broken_stream"
    cloud = Verdict(kind, transient=bool(getattr(error, "retryable", True)))
    return next((_CLASSES[kind] for kind in type(error).__mro__ if kind in _CLASSES), cloud)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds the provider asks to wait: `retry-after-ms`, or `retry-after` as seconds or as an HTTP date."""
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _seconds(value)
    return seconds if seconds is not None or value is None else _seconds_until(value, now)


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """The provider's id of a request, by whichever name it goes."""
    names = ("request-id", "x-request-id", "x-amzn-requestid")
    return next((headers[name] for name in names if headers.get(name)), None)


_MISCONFIGURED = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.InvalidURL, httpx2.TooManyRedirects)
"""What no retry mends, although the SDK calls it a connection error: a wrong address, a key with a line break."""


def _from_status(error: anthropic.APIStatusError, secrets: tuple[str, ...]) -> ModelError:
    headers = error.response.headers
    text = _without(secrets, f"{_title(error)}: {error.api_message or error.message}")
    return _error(
        _by_header(headers, _by_status(error)),
        text,
        status=error.status_code,
        request_id=request_id_of(headers) or _request_id_in(error.body),
        retry_after=retry_after(headers, datetime.now(UTC)),
    )


def _by_status(error: anthropic.APIStatusError) -> Verdict:
    if error.error_code is not None and error.error_code in _CODES:
        return _CODES[error.error_code]
    status = error.status_code if error.status_code >= 300 else _status_in_stream(error.type)
    if status == 400:
        words = (error.api_message or error.message).lower()
        return next((verdict for phrase, verdict in _PHRASES.items() if phrase in words), _STATUSES[400])
    if status in _STATUSES:
        return _STATUSES[status]
    if status >= 500:
        return _may_pass("server_error")
    return _stays("invalid_request") if status >= 400 else _stays("configuration")


def _status_in_stream(error_type: str | None) -> int:
    """An error event comes after the status 200; what is not known of it may pass."""
    known = {name.lower(): status for name, status in _TYPES.items()}
    return known.get(str(error_type).lower(), 500)


def _by_header(headers: Mapping[str, str], verdict: Verdict) -> Verdict:
    """The server's own word on whether to ask again goes before ours."""
    match headers.get("x-should-retry"):
        case "true":
            return _may_pass(verdict.kind)
        case "false":
            return _stays(verdict.kind)
        case _:
            return verdict


def _error(
    verdict: Verdict,
    message: str,
    *,
    status: int | None = None,
    request_id: str | None = None,
    retry_after: float | None = None,
) -> ModelError:
    if verdict.transient:
        return ModelUnavailable(verdict.kind, message, status=status, request_id=request_id, retry_after=retry_after)
    return ModelRefusesRequest(verdict.kind, message, status=status, request_id=request_id)


def _title(error: anthropic.APIStatusError) -> str:
    status = "the stream broke off" if error.status_code < 300 else f"HTTP {error.status_code}"
    return f"{status} ({error.type})" if error.type else status


def _told(error: Exception) -> str:
    """What happened, in the words of the error nearest to it."""
    nearest = _cause(error) or error
    return f"{type(nearest).__name__}: {nearest}".removesuffix(": ")


def _cause(error: Exception) -> Exception | None:
    return error.__cause__ if isinstance(error.__cause__, Exception) else None


def _without(secrets: tuple[str, ...], text: str) -> str:
    for secret in (secret.strip() for secret in secrets):
        # A word as short as "none" is a stand-in for a key, and part of many others.
        text = text.replace(secret, "***") if len(secret) >= SHORTEST_SECRET else text
    return text[:LONGEST_MESSAGE]


def _request_id_in(body: Any) -> str | None:
    value = body.get("request_id") if isinstance(body, dict) else None
    return value if isinstance(value, str) else None


def _seconds(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None


def _seconds_until(value: str, now: datetime) -> float | None:
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max((aware - now).total_seconds(), 0.0)
