"""JSON as it is sent and hashed."""

import json
from typing import Any

from llm.errors import ModelRefusesRequest

_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def json_bytes(value: Any) -> bytes:
    """`value` as UTF-8 JSON: the same value gives the same bytes, whatever order its keys came in."""
    try:
        text = _WRITER.encode(value)
    except ValueError as error:
        raise ModelRefusesRequest("invalid_request", f"the request cannot be written as JSON: {error}") from error
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _whole(text).encode()


def _whole(text: str) -> str:
    """Text that UTF-8 can carry: halves of a character that belong together are joined, a lone half becomes U+FFFD.

    Tools return such halves, and the provider refuses a request that has one even as an escape.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
