"""How data of an old shape becomes data of the next: one function for each version that was left behind.

An upcaster takes the `data` of an event as it was written at its version and gives that of the next version; it is
pure, and it is never changed after its release. A reader applies one after the other until the data has the newest
shape. The marks in Temporal's histories go the same way, so an upcaster must do with what a thin event has: content
may be empty, and what has its default may be missing.

When a class's shape changes so that old data would not be read any more:

1. raise the class's `version` in `eventlog/events.py`;
2. write here `def _session_paused_1(data): …` and enter it as `("SessionPaused", 1)`;
3. put an example of the new shape into `tests/golden/events/v2/`, and leave the old one where it is;
4. write the new schema with `perdure schema export schemas`.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from llm.messages import JsonObject

Upcasts: TypeAlias = Mapping[tuple[str, int], Callable[[JsonObject], JsonObject]]
"""By event type and the version the data has."""

UPCASTS: Upcasts = MappingProxyType({})


def upcast(name: str, version: int, data: JsonObject) -> JsonObject:
    """Data of any version in its newest shape."""
    while step := UPCASTS.get((name, version)):
        data, version = step(data), version + 1
    return data


def missing(versions: Mapping[str, int], upcasts: Upcasts = UPCASTS) -> Iterator[tuple[str, int]]:
    """The versions below the newest of each type that nobody can read any more."""
    for name, newest in versions.items():
        yield from ((name, version) for version in range(1, newest) if (name, version) not in upcasts)
