"""Where in an event's JSON an artifact stands, and how it comes there and back: text in, text out.

All large content is, in the end, one string of the JSON: a text, or an image as base64. Such a string is taken out as
it stands there, already escaped, and a reference is put in its place; see `eventlog.escaping`. Nothing is parsed but
the strings, so that all the rest remains letter for letter.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from eventlog.artifacts.store import Digest
from eventlog.escaping import ESCAPE, REFERENCE, reference

LEAST = 8 * 1024
"""Bytes; a shorter string is not worth a place of its own."""

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
MARK = f"{ESCAPE}@"
"""What no text without a reference holds: looking for it costs next to nothing."""
_STANDING = re.compile(rf'(?<!\\)"{REFERENCE.pattern}"(?!\s*:)')


@dataclass(frozen=True, slots=True)
class Thinned:
    """JSON without its large strings, and these."""

    data: str
    artifacts: Mapping[Digest, bytes]


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A string in the JSON: where it stands, quotes included, and how many bytes that is."""

    start: int
    end: int
    size: int


def thin(data: str, limit: int) -> Thinned:
    """Take strings out, the largest first, until what remains has no more than `limit` bytes or none is left."""
    artifacts: dict[Digest, bytes] = {}
    parts, end = [], 0
    for leaf in sorted(_chosen(data, limit), key=lambda leaf: leaf.start):
        content = orjson.loads(data[leaf.start : leaf.end]).encode()
        digest = hashlib.sha256(content).hexdigest()
        artifacts[digest] = content
        parts += [data[end : leaf.start], f'"{reference(digest, len(content))}"']
        end = leaf.end
    return Thinned("".join((*parts, data[end:])), artifacts)


def _chosen(data: str, limit: int) -> Iterator[_Leaf]:
    left = size_of(data)
    for leaf in sorted(_leaves(data), key=lambda leaf: -leaf.size):
        if left <= limit:
            return
        left -= leaf.size
        yield leaf


def _leaves(data: str) -> Iterator[_Leaf]:
    """Every string that is long enough, and no key."""
    for found in _STRING.finditer(data):
        start, end = found.span()
        if end - start > LEAST // 4 and data[end : end + 1] != ":":
            size = size_of(found[0])
            if size >= LEAST:
                yield _Leaf(start, end, size)


def size_of(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def referred(data: str | None) -> set[Digest]:
    """The artifacts that this JSON refers to."""
    if not data or MARK not in data:
        return set()
    return {found[1] for found in _STANDING.finditer(data)}


def fill(data: str, artifacts: Mapping[Digest, bytes]) -> str:
    """Put the artifacts back where they were; a reference to any other stays."""

    def written(found: re.Match[str]) -> str:
        content = artifacts.get(found[1])
        return found[0] if content is None else orjson.dumps(content.decode()).decode()

    return _STANDING.sub(written, data)


def is_content(digest: Digest, content: bytes) -> bool:
    """Whether these are the bytes that were kept under the digest."""
    return hashlib.sha256(content).hexdigest() == digest
