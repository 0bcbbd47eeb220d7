"""A reply made into the message the API sends: ids, signatures, stop reason and usage filled in."""

import secrets

from llm.messages import Block, JsonObject
from stack.scripted.answers import Reply
from stack.scripted.signatures import sign
from stack.scripted.tokens import InputUsage, output_tokens


def new_id(kind: str) -> str:
    """An id as the API makes them: `msg_…`, `toolu_…`, `req_…`."""
    return f"{kind}_{secrets.token_hex(8)}"


def compose(reply: Reply, model: str, charged: InputUsage) -> JsonObject:
    """The whole message."""
    content = tuple(_filled_in(block) for block in reply.content)
    usage = {
        **charged.as_json(),
        "output_tokens": output_tokens(content),
        "service_tier": "standard",
        **(reply.usage or {}),
    }
    return {
        "id": new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(content),
        "stop_reason": reply.reason,
        "stop_sequence": reply.stop_sequence,
        "stop_details": None,
        "usage": usage,
    }


def _filled_in(block: Block) -> Block:
    match block:
        case {"type": "tool_use"} if "id" not in block:
            return {"type": "tool_use", "id": new_id("toolu"), **block}
        case {"type": "thinking", "thinking": thinking} if "signature" not in block:
            return {**block, "signature": sign(thinking)}
        case _:
            return block


def without_partial(message: JsonObject) -> JsonObject:
    """The message as it is sent whole: arguments that broke off are not sent at all."""
    content = [{key: value for key, value in block.items() if key != "partial_json"} for block in message["content"]]
    return {**message, "content": content}
