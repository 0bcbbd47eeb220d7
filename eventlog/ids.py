"""Identities: thread ids that sort by time, and event ids that say what they identify.

An event's id is made of its thread and of what it says, so that a step that runs twice writes once: Message DB's
unique index refuses the second. Its head is the thread's start time, which keeps that index warm.
"""

import hashlib
import secrets
import time
from uuid import UUID

from eventlog.streams import ThreadId

_MILLISECONDS = (1 << 48) - 1


def _uuid(milliseconds: int, rest: int, version: int) -> UUID:
    """RFC 9562's time-headed layout: 48 bits of time, then `rest` around the version and variant bits."""
    value = (milliseconds & _MILLISECONDS) << 80 | rest & ((1 << 80) - 1)
    value = value & ~(0xF << 76) | version << 76
    return UUID(int=value & ~(0b11 << 62) | 0b10 << 62)


def new_thread_id() -> ThreadId:
    """A UUIDv7: unique, and sorting by the time it was made."""
    return ThreadId(str(_uuid(time.time_ns() // 1_000_000, secrets.randbits(80), version=7)))


def event_id(thread: ThreadId, started_ms: int, key: str) -> UUID:
    """The id of the event that says `key` in `thread`: a UUIDv8, the same however often it is asked for.

    `started_ms` is the thread's start in milliseconds of Unix time; attempt and run are no part of it.
    """
    digest = hashlib.sha256(f"{thread}\n{key}".encode(errors="surrogatepass")).digest()
    return _uuid(started_ms, int.from_bytes(digest[:10], "big"), version=8)
