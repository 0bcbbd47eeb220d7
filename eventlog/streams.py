"""Names: a thread, its stream, and the category the stream belongs to.

A stream is named `{category}:{version}-{thread_id}`; Message DB takes what stands before the first `-` as the
category, and validates nothing: so it is done here.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType

ThreadId = NewType("ThreadId", str)
"""One agent session = one Temporal workflow id = one stream."""
StreamName = NewType("StreamName", str)
Category = NewType("Category", str)

AGENT = Category("agent:v1")
"""The category in which every thread's stream stands."""
ALERT = Category("alert:v1")
"""The category of what the ledger gave the alarm about, a stream for each alert; see `ledger/alerts.py`."""
DEAD_LETTER = Category("deadLetter:v1")
"""The category of what could not be delivered or dealt with, a stream each; see `eventlog/dead_letters.py`."""

_CATEGORY = re.compile(r"[a-z][A-Za-z0-9_]{0,99}")
_VERSION = re.compile(r"v[0-9]{1,9}")
_THREAD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]*")
_LONGEST_THREAD = 200


class InvalidName(ValueError):
    """A thread, category or stream name cannot be used."""


@dataclass(frozen=True, slots=True)
class StreamParts:
    """A stream name, taken apart."""

    category: str
    version: str
    thread: ThreadId


def thread_id(text: str) -> ThreadId:
    """`text` as a thread id, or `InvalidName` that says what is wrong with it."""
    if not text:
        raise InvalidName("a thread id cannot be empty")
    if len(text) > _LONGEST_THREAD:
        raise InvalidName(f"a thread id has at most {_LONGEST_THREAD} characters, this one has {len(text)}")
    if not _THREAD.fullmatch(text):
        raise InvalidName(
            f"{text!r} cannot be a thread id: use letters, digits and . _ : @ -, beginning with a letter or digit"
        )
    return ThreadId(text)


def stream_of(thread: ThreadId) -> StreamName:
    """The stream in which everything that happens in `thread` is written."""
    return StreamName(f"{AGENT}-{thread}")


def build_stream_name(category: str, version: str, thread: str) -> StreamName:
    """`{category}:{version}-{thread}`, each part checked."""
    if not _CATEGORY.fullmatch(category):
        raise InvalidName(
            f"{category!r} cannot be a category: use up to 100 letters, digits and _, the first a lower-case letter"
        )
    if not _VERSION.fullmatch(version):
        raise InvalidName(f"{version!r} cannot be a category's version: write v and a number, as in v1")
    return StreamName(f"{category}:{version}-{thread_id(thread)}")


@lru_cache(maxsize=4096)
def parse_stream_name(name: str) -> StreamParts:
    """The parts of a stream name: the inverse of `build_stream_name`."""
    head, dash, thread = name.partition("-")
    category, colon, version = head.partition(":")
    if not dash or not colon:
        raise InvalidName(f"{name!r} is no stream name: it must read category:version-thread, as in agent:v1-7f3a")
    build_stream_name(category, version, thread)
    return StreamParts(category, version, ThreadId(thread))


def category(text: str) -> Category:
    """`text` as a category that can be read (`agent:v1`), or `InvalidName` that says what is wrong with it."""
    name, colon, version = text.partition(":")
    if not _CATEGORY.fullmatch(name) or (colon and not _VERSION.fullmatch(version)):
        raise InvalidName(f"{text!r} is no category: it must read name:version, as in agent:v1, without '-'")
    return Category(text)
