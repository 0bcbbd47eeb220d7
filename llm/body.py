"""The body of a Messages request."""

from llm.caching import with_breakpoints
from llm.messages import Body, JsonObject, ModelRequest, ModelTerms, text_block
from llm.names import is_self_paced


def body_of(request: ModelRequest) -> Body:
    """The request as the Messages API takes it, streaming, with its cache breakpoints."""
    beside: JsonObject = {
        "model": request.terms.name,
        "max_tokens": request.terms.max_tokens,
        "stream": True,
        **_sampling(request.terms),
    }
    if request.system.strip():
        beside["system"] = [text_block(request.system)]
    if request.tools:
        beside["tools"] = [tool.model_dump() for tool in request.tools]
    return with_breakpoints(Body(request.messages, beside))


def _sampling(terms: ModelTerms) -> JsonObject:
    """How the model thinks and chooses; what the model named does not take is left out."""
    if is_self_paced(terms.name):
        return {"thinking": {"type": "adaptive"}} if terms.thinking_tokens else {}
    if terms.thinking_tokens:
        return {"thinking": {"type": "enabled", "budget_tokens": terms.thinking_tokens}}
    return {} if terms.temperature is None else {"temperature": terms.temperature}
