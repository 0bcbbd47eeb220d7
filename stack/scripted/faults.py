"""HTTP errors as the API words them."""

from collections.abc import Mapping
from typing import NamedTuple

from llm.messages import JsonObject
from stack.scripted.answers import Fault


class Usual(NamedTuple):
    """What the API says with a status."""

    error_type: str
    message: str


USUAL: Mapping[int, Usual] = {
    400: Usual("invalid_request_error", "The request is not valid."),
    401: Usual("authentication_error", "invalid x-api-key"),
    402: Usual("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: Usual("permission_error", "Your API key does not have permission to use the specified resource."),
    404: Usual("not_found_error", "Not found"),
    405: Usual("invalid_request_error", "Method Not Allowed"),
    408: Usual("timeout_error", "Request timed out"),
    409: Usual("conflict_error", "The request conflicts with another one."),
    413: Usual("request_too_large", "Request exceeds the maximum size"),
    429: Usual("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: Usual("api_error", "Internal server error"),
    504: Usual("timeout_error", "Request timed out"),
    529: Usual("overloaded_error", "Overloaded"),
}
"""The API's own error types, by status."""


def usual(status: int) -> Usual:
    """What is said with this status."""
    return USUAL.get(status) or USUAL[500 if status >= 500 else 400]


def error_body(fault: Fault, request_id: str) -> JsonObject:
    """The body of an error."""
    words = usual(fault.status)
    error = {"type": fault.error_type or words.error_type, "message": fault.message or words.message}
    return {"type": "error", "error": error, "request_id": request_id}


def fault_headers(fault: Fault) -> Mapping[str, str]:
    """The headers an error has beyond those of every response."""
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    if fault.status == 429:
        headers["anthropic-ratelimit-requests-remaining"] = "0"
    return headers


def fault_of_type(error_type: str, message: str) -> Fault:
    """The HTTP error that says what an `error` event says in the middle of a stream."""
    status = next((status for status, words in USUAL.items() if words.error_type == error_type), 500)
    return Fault(status, message, error_type)
