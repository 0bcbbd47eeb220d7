"""The body of a Messages request, as JSON and as the bytes that are sent and hashed."""

import json
from typing import Any

from llm.caching import with_breakpoints
from llm.errors import ModelRefusesRequest
from llm.messages import JsonObject, ModelRequest, ModelTerms, text_block
from llm.names import is_self_paced


def body_of(request: ModelRequest) -> JsonObject:
    """The request as the Messages API takes it, streaming, with its cache breakpoints."""
    body: JsonObject = {
        "model": request.terms.name,
        "max_tokens": request.terms.max_tokens,
        "stream": True,
        "messages": [{"role": message.role, "content": list(message.content)} for message in request.messages],
        **_sampling(request.terms),
    }
    if request.system.strip():
        body["system"] = [text_block(request.system)]
    if request.tools:
        body["tools"] = [tool.model_dump() for tool in request.tools]
    return with_breakpoints(body)


def json_bytes(value: Any) -> bytes:
    """`value` as UTF-8 JSON: the same value gives the same bytes, whatever order its keys came in."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ModelRefusesRequest("invalid_request", f"the request cannot be written as JSON: {error}") from error
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _whole(text).encode()


def _sampling(terms: ModelTerms) -> JsonObject:
    """How the model thinks and chooses; what the model named does not take is left out."""
    if is_self_paced(terms.name):
        return {"thinking": {"type": "adaptive"}} if terms.thinking_tokens else {}
    if terms.thinking_tokens:
        return {"thinking": {"type": "enabled", "budget_tokens": terms.thinking_tokens}}
    return {} if terms.temperature is None else {"temperature": terms.temperature}


def _whole(text: str) -> str:
    """Text that UTF-8 can carry: halves of a character that belong together are joined, a lone half becomes U+FFFD.

    Tools return such halves, and the provider refuses a request that has one even as an escape.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
