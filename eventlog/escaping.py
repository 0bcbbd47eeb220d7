"""JSON that `jsonb` gives back as it was.

`jsonb` refuses NUL, lone surrogates, NaN and infinities, and forgets that a float was one (1e22 comes back as an
integer, -0.0 as 0.0). Models and tools produce all of these, so they are written as text behind an escape character:

    in a string      the character as ␛ and four hexadecimal digits; ␛ itself as ␛241b
    for a number     a string of its own: ␛=nan, ␛=1e+22, ␛=-0.0, ␛=0x… for integers of over a thousand digits
    for an artifact  a string of its own in place of a large one: ␛@sha256:, 64 digits of its hash, a colon, its bytes

orjson writes it where it can, several times faster; what is beyond it (integers of more than 64 bits, deep nesting) is
written by Python's own `json`, to the same letter. That one reads everything: others turn long integers into floats.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson

from eventlog.canonical import canonical_text

ESCAPE = "\u241b"
UNSAFE = re.compile(f"[\0\ud800-\udfff{ESCAPE}]")
"""What no text in the database may hold unescaped."""
_ESCAPED = re.compile(f"{ESCAPE}(0000|241b|d[89a-f][0-9a-f]{{2}})")
_NUMBER = re.compile(rf"{ESCAPE}=(nan|-?inf|-?\d[\d.]*(?:e[+-]\d+)?|-?0x[0-9a-f]+)")
REFERENCE = re.compile(rf"{ESCAPE}@sha256:([0-9a-f]{{64}}):(\d+)")
"""Where a large string stood that is kept elsewhere; see `eventlog.artifacts`."""
_PLAIN_FLOAT = re.compile(r"-?\d+\.\d+")
_LONGEST_INTEGER = 4096
"""Bits; longer integers are written in hexadecimal, for Python limits the decimal digits it reads and writes."""
_MOST_DIGITS = 4000


class ArtifactMissing(LookupError):
    """What a reference refers to was not to be found, or was found damaged."""


def reference(digest: str, size: int) -> str:
    """What stands for a string of so many bytes that is kept under this digest."""
    return f"{ESCAPE}@sha256:{digest}:{size}"


def to_json(value: Any) -> str:
    """`value` as canonical JSON that PostgreSQL keeps. Raises `TypeError` or `ValueError` for what is no JSON."""
    escaped = _escape(value)
    try:
        return orjson.dumps(escaped, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        return canonical_text(escaped)


def from_json(text: str) -> Any:
    """The value that `to_json` was given; also of JSON that others wrote.

    Raises `ArtifactMissing` where a reference still stands in it.
    """
    value = _READER.decode(text)
    return _unescape(value) if ESCAPE in text else value


def _escape(value: Any) -> Any:
    escape = _BY_TYPE.get(type(value)) or _by_kind(value)
    return escape(value)


def _by_kind(value: Any) -> Callable[[Any], Any]:
    """For subclasses, and for what only behaves like a mapping."""
    for kind in (bool, str, int, float, Mapping, list, tuple, datetime, Decimal, UUID):
        if isinstance(value, kind):
            return _BY_TYPE[kind]
    raise TypeError(f"{type(value).__name__} is no JSON type")


def _as_it_is(value: Any) -> Any:
    return value


def _escape_integer(value: int) -> int | str:
    return value if value.bit_length() <= _LONGEST_INTEGER else f"{ESCAPE}={value:#x}"


def _escape_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {_escape_key(key): _escape(item) for key, item in value.items()}


def _escape_sequence(value: Sequence[Any]) -> list[Any]:
    return [_escape(item) for item in value]


def _escape_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"the key {key!r} is not text")
    return _escape_text(key)


def _escape_text(text: str) -> str:
    if text.isascii() and "\0" not in text:  # nearly every text: told without looking at each character
        return text
    return UNSAFE.sub(lambda found: f"{ESCAPE}{ord(found[0]):04x}", text)


def _escape_float(value: float) -> float | str:
    text = repr(value)
    return value if _PLAIN_FLOAT.fullmatch(text) and text != "-0.0" else f"{ESCAPE}={text}"


def _escape_time(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


_BY_TYPE: Mapping[type, Callable[[Any], Any]] = MappingProxyType(
    {
        type(None): _as_it_is,
        bool: _as_it_is,
        str: _escape_text,
        int: _escape_integer,
        float: _escape_float,
        dict: _escape_mapping,
        Mapping: _escape_mapping,
        list: _escape_sequence,
        tuple: _escape_sequence,
        datetime: _escape_time,
        Decimal: str,
        UUID: str,
    }
)
"""Every value of every event passes through here: one look-up is several times faster than trying `isinstance`s."""


def _unescape(value: Any) -> Any:
    match value:
        case str():
            return _unescape_string(value)
        case dict():
            return {_unescape_text(key): _unescape(item) for key, item in value.items()}
        case list():
            return [_unescape(item) for item in value]
        case _:
            return value


def _unescape_string(value: str) -> str | int | float:
    if number := _NUMBER.fullmatch(value):
        return _number(number[1])
    if missing := REFERENCE.fullmatch(value):
        digest, size = missing.groups()
        raise ArtifactMissing(
            f"its artifact sha256:{digest} of {int(size):,} bytes is not where artifacts are kept, or is damaged there"
        )
    return _unescape_text(value)


def _unescape_text(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _number(text: str) -> int | float:
    return int(text, 16) if "0x" in text else float(text)


def _integer(digits: str) -> int:
    """Others may have written 1E5000, which `jsonb` spells out: a decimal takes more digits than `int` does."""
    return int(digits) if len(digits) < _MOST_DIGITS else int(Decimal(digits))


_READER = json.JSONDecoder(parse_int=_integer)
