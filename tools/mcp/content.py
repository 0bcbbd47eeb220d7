"""What an MCP server answered, as what tools return."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

import mcp_types

from llm.messages import Block, text_block
from tools.errors import ToolFailed
from tools.mcp.masking import Secrets, masked
from tools.results import blocks_of

MOST_BLOCKS = 100
"""Content blocks of one answer."""
LONGEST = 10_000_000
"""Characters of one block; what the model reads is cut much earlier."""


def returned(answer: mcp_types.CallToolResult, secrets: Secrets) -> list[Block] | None:
    """The answer as content blocks; None where it says nothing. Raises `ToolFailed` where it says that it failed."""
    blocks = [_block(each, secrets) for each in answer.content[:MOST_BLOCKS]]
    if (more := len(answer.content) - MOST_BLOCKS) > 0:
        blocks.append(text_block(f"… [cut: {more:,} more content blocks]"))
    if answer.structured_content is not None and not _told(answer.structured_content, answer.content):
        blocks.append(text_block(masked(json.dumps(answer.structured_content, ensure_ascii=False), secrets)))
    if answer.is_error:
        raise ToolFailed(_words(blocks) or "the server says that it failed, and not why")
    return blocks or None


def _words(blocks: Sequence[Block]) -> str:
    return "\n".join(block["text"] for block in blocks if block["type"] == "text" and block["text"].strip())


def _told(structured: Any, content: Sequence[mcp_types.ContentBlock]) -> bool:
    """Whether the text says it already, as the protocol wants it for older clients."""
    return any(isinstance(each, mcp_types.TextContent) and _parsed(each.text) == structured for each in content)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _block(content: mcp_types.ContentBlock, secrets: Secrets) -> Block:
    match content:
        case mcp_types.TextContent():
            return text_block(masked(content.text[:LONGEST], secrets))
        case mcp_types.ImageContent():
            return _bytes(content.data, content.mime_type, secrets)
        case mcp_types.AudioContent():
            return text_block(f"(audio, {content.mime_type[:100]}: it cannot be heard here)")
        case mcp_types.ResourceLink():
            return text_block(masked(f"(a resource that was not read: {content.name}, {content.uri})", secrets))
        case mcp_types.EmbeddedResource():
            return _resource(content.resource, secrets)


def _resource(resource: mcp_types.TextResourceContents | mcp_types.BlobResourceContents, secrets: Secrets) -> Block:
    if isinstance(resource, mcp_types.TextResourceContents):
        return text_block(masked(f"{resource.uri}:\n{resource.text[:LONGEST]}", secrets))
    return _bytes(resource.blob, resource.mime_type, secrets)


def _bytes(data: str, media_type: str | None, secrets: Secrets) -> Block:
    try:
        block = blocks_of(base64.b64decode(data, validate=True), LONGEST)[0]
    except binascii.Error:
        return text_block(f"(content of the type {(media_type or 'unknown')[:100]} that is not base64)")
    return {**block, "text": masked(block["text"], secrets)} if block["type"] == "text" else block
