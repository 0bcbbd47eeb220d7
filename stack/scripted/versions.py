"""The versions of the API that are spoken, and what the newer one refuses."""

from collections.abc import Iterator

from llm.messages import JsonObject
from stack.scripted.errors import Refused
from stack.scripted.rules import blocks_of

OLD = "2023-06-01"
CURRENT = "2026-10-21"

_REMOVED = ("temperature", "top_p", "top_k")
"""Parameters the current version no longer has."""


def check_version(version: str | None) -> None:
    """Raise `Refused` where the version is missing or unknown."""
    if version is None:
        raise Refused("anthropic-version: header is required")
    if version not in (OLD, CURRENT):
        raise Refused(f'anthropic-version: "{version}" is not a valid version')


def check_against(version: str, body: JsonObject) -> None:
    """Raise `Refused` for what the version does not take; the shape of the body has been checked."""
    if version == OLD:
        return
    for name in _REMOVED:
        if name in body:
            raise Refused(f"{name}: Extra inputs are not permitted")
    for problem in _misplaced(body):
        raise Refused(problem)


def _misplaced(body: JsonObject) -> Iterator[str]:
    for index, message in enumerate(body["messages"]):
        for position, block in enumerate(blocks_of(message["content"])):
            where = f"messages.{index}.content.{position}"
            if message["role"] == "assistant" and block.get("type") == "document":
                yield f"{where}: `document` blocks are not permitted in `assistant` messages"
            if message["role"] == "user" and block.get("type") == "text" and block.get("citations"):
                yield f"{where}.text.citations: citations are not permitted in `user` messages"
