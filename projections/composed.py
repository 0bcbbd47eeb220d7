"""Several views in one: the log is read once and every view of it grows.

A composed view has a codec where all its parts have one. A part that is raised to another version raises the whole.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from eventlog.canonical import digest_of
from eventlog.log import Recorded
from projections.codec import Codec
from projections.fold import InvalidProjection, Projection


def compose(**projections: Projection[Any]) -> Projection[Mapping[str, Any]]:
    """A view that holds each of these under its keyword: the same states as if each had been folded alone."""
    if not projections:
        raise InvalidProjection("nothing was given to compose")

    def initial() -> dict[str, Any]:
        return {key: projection.initial() for key, projection in projections.items()}

    def evolve(states: Mapping[str, Any], recorded: Recorded) -> dict[str, Any]:
        return {key: projection.evolve(states[key], recorded) for key, projection in projections.items()}

    name = "+".join(f"{key}:{projection.name}" for key, projection in projections.items())
    version = sum(projection.version for projection in projections.values())  # rises with each of them
    return Projection(f"({name})", version, initial, evolve, _codec(projections))


def _codec(projections: Mapping[str, Projection[Any]]) -> Codec[Mapping[str, Any]] | None:
    """The parts as their own codecs keep them, one behind the other, after a line that says how long each is."""
    codecs = {key: projection.codec for key, projection in projections.items() if projection.codec}
    if len(codecs) < len(projections):
        return None

    def encode(states: Mapping[str, Any]) -> bytes:
        return _joined([codec.encode(states[key]) for key, codec in codecs.items()])

    def decode(kept: bytes) -> Mapping[str, Any]:
        parts = zip(codecs.items(), _split(kept), strict=True)
        return {key: codec.decode(part) for (key, codec), part in parts}

    @cache
    def shape() -> str:
        return digest_of({key: projection.stamp for key, projection in projections.items()})[:16]

    return Codec(encode, decode, shape)


def _joined(parts: Sequence[bytes]) -> bytes:
    lengths = json.dumps([len(part) for part in parts]).encode()
    return b"\n".join([lengths, b"".join(parts)])


def _split(kept: bytes) -> Iterable[bytes]:
    lengths, _, rest = kept.partition(b"\n")
    start = 0
    for length in json.loads(lengths):
        yield rest[start : start + length]
        start += length
