"""A message told as server-sent events, in the order and the pieces the API tells it."""

import json
from collections.abc import Iterator

from llm.messages import Block, JsonObject

FIRST_TOKENS = 1
"""What `message_start` says of the output: the rest is counted at the end."""


def encode(event: JsonObject) -> bytes:
    """One event as it goes over the wire."""
    kind: str = event["type"]
    return b"event: " + kind.encode() + b"\ndata: " + as_json(event) + b"\n\n"


def as_json(value: JsonObject) -> bytes:
    """JSON in UTF-8; lone surrogates, which UTF-8 does not know, are escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def events(message: JsonObject, chunk: int) -> Iterator[JsonObject]:
    """All events of a message."""
    usage = message["usage"]
    opening = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": FIRST_TOKENS}}
    yield {"type": "message_start", "message": opening}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        yield from _block_events(index, block, chunk)
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]},
        "usage": {key: value for key, value in usage.items() if key.endswith("_tokens")},
    }
    yield {"type": "message_stop"}


def _block_events(index: int, block: Block, chunk: int) -> Iterator[JsonObject]:
    opening, deltas = _told(block, chunk)
    yield {"type": "content_block_start", "index": index, "content_block": opening}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _told(block: Block, chunk: int) -> tuple[Block, Iterator[JsonObject]]:
    """How a block begins, and what is added to it. A block of any other kind comes whole at its beginning."""
    match block:
        case {"type": "text"}:
            return {**block, "text": "", **({"citations": []} if "citations" in block else {})}, _text(block, chunk)
        case {"type": "thinking"}:
            return {**block, "thinking": "", "signature": ""}, _thinking(block, chunk)
        case {"type": "tool_use" | "server_tool_use"}:
            return {**_without(block, "partial_json"), "input": {}}, _arguments(block, chunk)
        case _:
            return block, iter(())


def _text(block: Block, chunk: int) -> Iterator[JsonObject]:
    for piece in _pieces(block["text"], chunk):
        yield {"type": "text_delta", "text": piece}
    for citation in block.get("citations") or ():
        yield {"type": "citations_delta", "citation": citation}


def _thinking(block: Block, chunk: int) -> Iterator[JsonObject]:
    for piece in _pieces(block["thinking"], chunk):
        yield {"type": "thinking_delta", "thinking": piece}
    yield {"type": "signature_delta", "signature": block["signature"]}


def _arguments(block: Block, chunk: int) -> Iterator[JsonObject]:
    text = block.get("partial_json") or (as_json(block["input"]).decode() if block["input"] else "")
    yield {"type": "input_json_delta", "partial_json": ""}
    for piece in _pieces(text, min(chunk, max(1, len(text) // 2))):
        yield {"type": "input_json_delta", "partial_json": piece}


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def _without(block: Block, key: str) -> Block:
    return {name: value for name, value in block.items() if name != key}
