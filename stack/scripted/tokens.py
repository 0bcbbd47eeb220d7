"""Tokens, counted plausibly (four characters each), and the prompt cache that makes a prefix cheaper the next time."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from eventlog.canonical import canonical_json
from llm.messages import Block, JsonObject
from stack.scripted.rules import blocks_of

CHARACTERS_PER_TOKEN = 4
IMAGE_TOKENS = 1600
LOOK_BACK = 20
"""How many blocks before a breakpoint a cached prefix may end, as in the real cache."""
MOST_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class InputUsage:
    """How the tokens of a request are charged."""

    fresh: int
    """Neither read from the cache nor written to it."""
    written: int = 0
    read: int = 0
    ttl: str = "5m"

    def as_json(self) -> JsonObject:
        """The words of the API."""
        return {
            "input_tokens": self.fresh,
            "cache_creation_input_tokens": self.written,
            "cache_read_input_tokens": self.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.written if self.ttl == "5m" else 0,
                "ephemeral_1h_input_tokens": self.written if self.ttl == "1h" else 0,
            },
        }


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the prompt at whose end a cached prefix may end."""

    data: bytes
    tokens: int
    ttl: str | None
    """Set where it ends with a cache breakpoint."""


def tokens_of(value: Any) -> int:
    """About as many tokens as a text, a block or an object has; never none."""
    if isinstance(value, dict) and value.get("type") == "image":
        return IMAGE_TOKENS
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return -(-len(text) // CHARACTERS_PER_TOKEN) or 1


def output_tokens(content: tuple[Block, ...]) -> int:
    """The tokens of a reply."""
    return sum(tokens_of(_spoken(block)) for block in content) or 1


def input_tokens(body: JsonObject) -> int:
    """The tokens of a request."""
    return sum(segment.tokens for segment in segments(body))


def _spoken(block: Block) -> Any:
    match block:
        case {"type": "text", "text": text} | {"type": "thinking", "thinking": text}:
            return text
        case {"type": "tool_use", "name": name, "input": arguments}:
            return [name, arguments, block.get("partial_json", "")]
        case _:
            return block


def segments(body: JsonObject) -> Iterator[Segment]:
    """The prompt in the order the cache sees it: tools, system, messages."""
    for tool in body.get("tools") or ():
        yield _segment("tool", tool)
    for block in blocks_of(body.get("system")):
        yield _segment("system", block)
    for message in body["messages"]:
        for block in blocks_of(message["content"]):
            yield _segment(message["role"], block)


def _segment(role: str, block: Block) -> Segment:
    plain = {key: value for key, value in block.items() if key != "cache_control"}
    mark = block.get("cache_control")
    return Segment(canonical_json([role, plain]), tokens_of(plain), (mark.get("ttl") or "5m") if mark else None)


class PromptCache:
    """Remembers the prefixes that ended with a breakpoint; what it forgets costs only tokens."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    def charge(self, body: JsonObject) -> InputUsage:
        """Charge a request and remember its prefixes."""
        parts = list(segments(body))
        marks = [index for index, part in enumerate(parts) if part.ttl]
        if body.get("cache_control") and parts:
            marks = sorted({*marks, len(parts) - 1})
        sums = list(accumulate(part.tokens for part in parts))
        if not marks:
            return InputUsage(sums[-1])
        prefixes = list(_prefixes(body["model"], parts))
        read = self._longest(prefixes, sums, marks)
        self._remember(prefixes[index] for index in marks)
        cached = sums[marks[-1]]
        return InputUsage(sums[-1] - cached, cached - read, read, parts[marks[-1]].ttl or "5m")

    def _longest(self, prefixes: list[str], sums: list[int], marks: list[int]) -> int:
        for index in range(marks[-1], -1, -1):
            if prefixes[index] in self._known and any(0 <= mark - index < LOOK_BACK for mark in marks):
                return sums[index]
        return 0

    def _remember(self, prefixes: Iterator[str]) -> None:
        for prefix in prefixes:
            self._known[prefix] = None
            self._known.move_to_end(prefix)
        while len(self._known) > MOST_ENTRIES:
            self._known.popitem(last=False)


def _prefixes(model: str, parts: list[Segment]) -> Iterator[str]:
    """A digest of everything up to the end of each segment."""
    digest = hashlib.sha256(model.encode("utf-8", "surrogatepass"))
    for part in parts:
        digest.update(part.data)
        yield digest.hexdigest()
