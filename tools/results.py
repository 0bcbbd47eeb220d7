"""What a tool returned, as the content blocks the model reads.

Text is text; bytes of an image, and objects that can draw themselves as PNG, are images; a list of content blocks
is passed on as it is; None is "done"; models, dictionaries, lists and numbers are JSON; anything else is its `str`.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from llm.messages import Block, text_block

MOST_IMAGE_BYTES = 3_750_000
"""What a provider takes in one image, before base64 makes it a third longer."""
_IMAGES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
_BLOCKS = {"text": "text", "image": "source", "document": "source", "search_result": "content"}
"""The blocks a tool's result may hold, each with a key it cannot do without."""


def _as_it_is(text: str) -> str:
    return text


def blocks_of(value: Any, most_chars: int, strike: Callable[[str], str] = _as_it_is) -> tuple[Block, ...]:
    """The value as blocks of at most so many characters of text. It never fails: the tool has acted already.

    Every text passes through `strike` before it is cut: half a secret could not be found.
    """
    try:
        return bounded(tuple(_struck(block, strike) for block in _blocks(value)), most_chars)
    except Exception as error:  # noqa: BLE001 - a stranger's object writes itself
        kind = type(value).__name__
        return (text_block(f"done, but the result, of type {kind}, cannot be shown: {type(error).__name__}"),)


def _struck(block: Block, strike: Callable[[str], str]) -> Block:
    """The block without what is struck out; a picture or document that holds such a thing is left out."""
    if block["type"] == "text":
        return {**block, "text": strike(block["text"])}
    written = json.dumps(block, ensure_ascii=False, default=str)
    return block if strike(written) == written else text_block(f"({block['type']} left out: it holds a secret)")


def bounded(blocks: tuple[Block, ...], most_chars: int) -> tuple[Block, ...]:
    """The same blocks with their text cut after so many characters, and a notice where it is."""
    total = sum(len(block["text"]) for block in blocks if block["type"] == "text")
    if total <= most_chars:
        return blocks
    left, kept = most_chars, []
    for block in blocks:
        if block["type"] != "text":
            kept.append(block)
        elif left > 0:
            kept.append({**block, "text": block["text"][:left]})
            left -= len(block["text"])
    notice = f"… [cut: {most_chars:,} of {total:,} characters shown; narrow the request]"
    return (*kept, text_block(notice))


def _blocks(value: Any) -> tuple[Block, ...]:
    if isinstance(value, list | tuple) and value and all(_is_block(item) for item in value):
        return tuple(_seen(block) for block in value)
    if isinstance(value, bytes | bytearray | memoryview):
        return (_of_bytes(bytes(value)),)
    # The protocol by which notebooks show pictures: what draws itself for them does so here.
    if hasattr(value, "_repr_png_") and (png := value._repr_png_()) is not None:
        return (_of_bytes(png),)
    return (_seen(text_block(_text(value))),)


def _is_block(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return False
    needed = _BLOCKS.get(value["type"])
    return (
        needed is not None
        and isinstance(value.get(needed), str if needed == "text" else dict | list)
        and _is_sendable(value)
    )


def _is_sendable(block: Block) -> bool:
    """Whether the request that holds the block can be written: infinity and its kin stand in no JSON."""
    try:
        json.dumps(block, allow_nan=False, default=str)
    except ValueError:
        return False
    return True


def _seen(block: Block) -> Block:
    """The block, with words in place of nothing: providers refuse empty text."""
    if block["type"] != "text" or block["text"].strip():
        return block
    return {**block, "text": "(white space only)" if block["text"] else "(empty)"}


def _text(value: Any) -> str:
    if value is None:
        return "done"
    if isinstance(value, str):
        return str(value)
    if isinstance(value, BaseModel | dict | list | tuple | set | frozenset | bool | int | float):
        return _json(value)
    return _plain(value)


def _json(value: Any) -> str:
    try:
        plain = to_jsonable_python(value, fallback=str, bytes_mode="base64")
        return json.dumps(plain, ensure_ascii=False)
    except (ValueError, RecursionError):
        return str(value)


def _plain(value: Any) -> str:
    """Dataclasses, dates and the like as JSON writes them; a stranger as its `str`."""
    try:
        plain = to_jsonable_python(value, bytes_mode="base64")
    except ValueError:
        return str(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _of_bytes(data: bytes) -> Block:
    for media_type, magic in _IMAGES.items():
        if data.startswith(magic) and (media_type != "image/webp" or data[8:12] == b"WEBP"):
            return _image(data, media_type)
    try:
        return _seen(text_block(data.decode()))
    except UnicodeDecodeError:
        return text_block(f"({len(data):,} bytes that are neither text nor a PNG, JPEG, GIF or WebP image)")


def _image(data: bytes, media_type: str) -> Block:
    if len(data) > MOST_IMAGE_BYTES:
        return text_block(f"(an image of {len(data):,} bytes: too large to be shown, {MOST_IMAGE_BYTES:,} at most)")
    source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
    return {"type": "image", "source": source}
