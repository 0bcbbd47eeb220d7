"""Everything that can go wrong has its word, and is said to pass or to stay."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import anthropic
import httpx2
import pytest

from llm.errors import ModelError, ModelRefusesRequest, ModelUnavailable
from llm.failures import LONGEST_MESSAGE, retry_after, sdk_errors, translated, verdict_of

REQUEST = httpx2.Request("POST", "http://model.test/v1/messages")
NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)

NOT_FROM_A_MODEL_CALL = {
    "AnthropicError",  # the root, which the SDK raises for its own misuse
    "APIError",  # the root of what an API call raises
    "APIWebhookValidationError",  # webhooks
    "MissingDependencyError",  # an extra is missing; we look for it before
    "MutuallyExclusiveAuthError",  # raised by clients we do not build
    "StreamAlreadyConsumed",  # raised by responses we do not use
    "ToolsetConfigError",  # the SDK's own agent tools
    "ToolsetsFixedError",
    "ToolsetClosedError",
    "ToolsetContractError",
    "ToolsetUsageError",
}

STATUSES = [
    (300, "configuration", False),
    (304, "configuration", False),
    (400, "invalid_request", False),
    (401, "authentication", False),
    (402, "billing", False),
    (403, "permission", False),
    (404, "not_found", False),
    (405, "invalid_request", False),
    (408, "timeout", True),
    (409, "conflict", True),
    (410, "invalid_request", False),
    (412, "invalid_request", False),
    (413, "context_too_long", False),
    (415, "invalid_request", False),
    (418, "invalid_request", False),
    (421, "connection", True),
    (422, "invalid_request", False),
    (423, "conflict", True),
    (425, "conflict", True),
    (429, "rate_limited", True),
    (431, "invalid_request", False),
    (451, "invalid_request", False),
    (499, "connection", True),
    (500, "server_error", True),
    (501, "not_implemented", False),
    (502, "server_error", True),
    (503, "unavailable", True),
    (504, "timeout", True),
    (505, "not_implemented", False),
    (520, "server_error", True),
    (524, "server_error", True),
    (529, "overloaded", True),
]
KINDS = {status: (kind, transient) for status, kind, transient in STATUSES}

JUDGED_BY_CODE = {
    "ContractSpendLimitReachedError": ("billing", False),
    "EnforcedSpendLimitReachedError": ("billing", False),
    "BetaRequestBodyTimeoutError": ("timeout", True),
}
LIKE_THEIR_STATUS = {"RampLimitExceededError"}
"""Rate limits by a code that are nothing but rate limits. A new one has to be looked at, for it may be about money."""


def tree(root: type[Exception]) -> Iterator[type[Exception]]:
    """The class and all below it."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def status_error(
    status: int, body: Any = None, kind: type[anthropic.APIStatusError] = anthropic.APIStatusError, **headers: str
) -> anthropic.APIStatusError:
    """The SDK's error for an answer with this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx2.Response(status, headers=named, request=REQUEST)
    return kind("what the SDK says", response=response, body=body)


def said(kind: str, message: str, code: str | None = None) -> dict[str, Any]:
    """An error's body."""
    error: dict[str, Any] = {"type": kind, "message": message}
    return {"type": "error", "error": {**error, "details": {"error_code": code}} if code else error}


def judged(error: ModelError) -> tuple[str, bool]:
    """The word for a failure and whether it may pass."""
    return error.kind, isinstance(error, ModelUnavailable)


def test_every_class_without_a_status_is_mapped() -> None:
    """A class the SDK or its HTTP library adds one day must be given its line."""
    roots = (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, httpx2.CookieConflict)
    classes = {kind for root in roots for kind in tree(root) if not issubclass(kind, anthropic.APIStatusError)}
    unmapped = {kind.__name__ for kind in classes if verdict_of(kind.__new__(kind)).kind == "sdk"}
    assert unmapped <= NOT_FROM_A_MODEL_CALL


def test_every_class_is_caught() -> None:
    """No class of the SDK or its HTTP library escapes the adapter."""
    roots = (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, httpx2.CookieConflict)
    assert all(issubclass(kind, sdk_errors()) for root in roots for kind in tree(root))


@pytest.mark.parametrize(
    "kind",
    [kind for kind in tree(anthropic.APIStatusError) if hasattr(kind, "status_code")],
    ids=lambda kind: str(kind.__name__),
)
def test_every_class_with_a_status_is_judged(kind: type[anthropic.APIStatusError]) -> None:
    """By its status, or by the code that names its cause."""
    code = getattr(kind.__annotations__.get("error_code"), "__args__", (None,))[0]
    code = code or _code_in(str(kind.__annotations__.get("error_code", "")))
    status: int = kind.status_code
    error = translated(status_error(status, said("x", "y", code), kind))
    assert judged(error) == JUDGED_BY_CODE.get(kind.__name__, KINDS[status])


def _code_in(annotation: str) -> str | None:
    """The word between the quotes of a literal type."""
    parts = annotation.replace('"', "'").split("'")
    return parts[1] if len(parts) > 1 else None


def test_every_rate_limit_was_looked_at() -> None:
    """Some of them are about money and do not pass in a minute."""
    below = {kind.__name__ for kind in tree(anthropic.RateLimitError)} - {"RateLimitError"}
    assert below == LIKE_THEIR_STATUS | {name for name in JUDGED_BY_CODE if "Spend" in name}


@pytest.mark.parametrize(("status", "kind", "transient"), STATUSES)
def test_statuses(status: int, kind: str, *, transient: bool) -> None:
    """Each status has its word, and says whether asking again may help."""
    error = translated(status_error(status, said("some_error", "Something.")))
    assert judged(error) == (kind, transient)
    assert error.status == status


@pytest.mark.parametrize(
    ("type_", "kind", "transient"),
    [
        ("overloaded_error", "overloaded", True),
        ("api_error", "server_error", True),
        ("rate_limit_error", "rate_limited", True),
        ("timeout_error", "timeout", True),
        ("invalid_request_error", "invalid_request", False),
        ("authentication_error", "authentication", False),
        ("billing_error", "billing", False),
        ("permission_error", "permission", False),
        ("not_found_error", "not_found", False),
        ("request_too_large", "context_too_long", False),
        ("throttlingException", "rate_limited", True),
        ("validationException", "invalid_request", False),
        ("something_new", "server_error", True),
    ],
)
def test_errors_within_a_stream(type_: str, kind: str, *, transient: bool) -> None:
    """They come after the status 200, so their type is what counts."""
    error = translated(status_error(200, said(type_, "Oh.")))
    assert judged(error) == (kind, transient)
    assert error.message == f"the stream broke off ({type_}): Oh."


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", "context_too_long"),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", "context_too_long"),
        ("Input is too long for requested model.", "context_too_long"),
        ("This model's maximum context length is 32768 tokens", "context_too_long"),
        ("Your credit balance is too low to access the API.", "billing"),
        ("messages.0: all messages must have non-empty content", "invalid_request"),
    ],
)
def test_bad_requests_are_told_apart(message: str, kind: str) -> None:
    """A context that is too long can be shortened; a request that is wrong cannot."""
    assert judged(translated(status_error(400, said("invalid_request_error", message)))) == (kind, False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Fri, 20 Nov 2026 12:01:30 GMT"}, 90.0),
        ({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_the_time_to_wait_is_read(headers: dict[str, str], seconds: float | None) -> None:
    """As milliseconds, as seconds or as a date; nonsense is no time."""
    assert retry_after(headers, NOW) == seconds


def test_the_time_to_wait_is_obeyed() -> None:
    """It travels with the error, as does the request's id."""
    error = translated(status_error(429, said("rate_limit_error", "Slow down."), retry_after="12", request_id="req_7"))
    assert isinstance(error, ModelUnavailable)
    assert (error.retry_after, error.request_id) == (12.0, "req_7")
    assert error.message == "HTTP 429 (rate_limit_error): Slow down."


@pytest.mark.parametrize(("word", "class_"), [("true", ModelUnavailable), ("false", ModelRefusesRequest)])
@pytest.mark.parametrize("status", [400, 429])
def test_the_server_has_the_last_word_on_retries(word: str, class_: type[ModelError], status: int) -> None:
    """`x-should-retry` goes before what the status says."""
    assert type(translated(status_error(status, x_should_retry=word))) is class_


@pytest.mark.parametrize(
    ("error", "kind", "transient"),
    [
        (anthropic.APITimeoutError(REQUEST), "timeout", True),
        (anthropic.APIConnectionError(request=REQUEST), "connection", True),
        (httpx2.ReadTimeout("slow"), "timeout", True),
        (httpx2.ReadError("gone"), "broken_stream", True),
        (httpx2.RemoteProtocolError("peer closed"), "broken_stream", True),
        (httpx2.DecodingError("bad gzip"), "broken_stream", True),
        (httpx2.StreamClosed(), "broken_stream", True),
        (httpx2.UnsupportedProtocol("no scheme"), "configuration", False),
        (anthropic.RetryableError("again"), "unavailable", True),
        (anthropic.IdentityTokenFileError("not there yet"), "credentials", True),
        (anthropic.CredentialsError("no profile"), "credentials", False),
    ],
)
def test_failures_without_an_answer(error: Exception, kind: str, *, transient: bool) -> None:
    """Connections come back; a wrong set-up does not mend itself."""
    assert judged(translated(error)) == (kind, transient)


@pytest.mark.parametrize(
    ("cause", "kind", "transient"),
    [
        (httpx2.ConnectError("refused"), "connection", True),
        (httpx2.LocalProtocolError("Illegal header value"), "configuration", False),
        (httpx2.UnsupportedProtocol("ftp://"), "configuration", False),
        (httpx2.TooManyRedirects("round and round"), "configuration", False),
    ],
)
def test_a_connection_error_is_judged_by_its_cause(cause: Exception, kind: str, *, transient: bool) -> None:
    """The SDK calls a wrong address a connection error, too; the cause is what is told."""
    error = anthropic.APIConnectionError(request=REQUEST)
    error.__cause__ = cause
    assert judged(translated(error)) == (kind, transient)
    assert translated(error).message == f"{type(cause).__name__}: {cause}"


def test_secrets_are_not_told() -> None:
    """A server that repeats the key does not bring it into our messages."""
    error = translated(status_error(401, said("authentication_error", "invalid key: sk-1234")), ("sk-1234\n", ""))
    assert error.message == "HTTP 401 (authentication_error): invalid key: ***"


def test_long_explanations_are_cut() -> None:
    """A page of HTML is not kept whole."""
    assert len(translated(status_error(502, "x" * 100_000)).message) <= LONGEST_MESSAGE


@pytest.mark.parametrize("body", [None, "<html>", [], {"error": "text"}, {"error": {"type": 3, "message": None}}])
def test_any_body_is_taken(body: Any) -> None:
    """An error that is no JSON of the API is an error all the same."""
    assert translated(status_error(500, body)).kind == "server_error"
