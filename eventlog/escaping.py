"""JSON that `jsonb` gives back as it was.

`jsonb` refuses NUL, lone surrogates, NaN and infinities, and forgets that a float was one (1e22 comes back as an
integer, -0.0 as 0.0). Models and tools produce all of these, so they are written as text behind an escape character:

    in a string      the character as ␛ and four hexadecimal digits; ␛ itself as ␛241b
    for a number     a string of its own: ␛=nan, ␛=1e+22, ␛=-0.0, ␛=0x… for integers of over a thousand digits

Python's own `json` writes and reads it: orjson and pydantic turn integers beyond 64 bits into floats or errors.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from eventlog.canonical import canonical_json

ESCAPE = "\u241b"
UNSAFE = re.compile(f"[\0\ud800-\udfff{ESCAPE}]")
"""What no text in the database may hold unescaped."""
_ESCAPED = re.compile(f"{ESCAPE}(0000|241b|d[89a-f][0-9a-f]{{2}})")
_NUMBER = re.compile(rf"{ESCAPE}=(nan|-?inf|-?\d[\d.]*(?:e[+-]\d+)?|-?0x[0-9a-f]+)")
_PLAIN_FLOAT = re.compile(r"-?\d+\.\d+")
_LONGEST_INTEGER = 4096
"""Bits; longer integers are written in hexadecimal, for Python limits the decimal digits it reads and writes."""
_MOST_DIGITS = 4000


def to_json(value: Any) -> str:
    """`value` as canonical JSON that PostgreSQL keeps. Raises `TypeError` or `ValueError` for what is no JSON."""
    return canonical_json(_escape(value)).decode()


def from_json(text: str) -> Any:
    """The value that `to_json` was given; also of JSON that others wrote."""
    value = _READER.decode(text)
    return _unescape(value) if ESCAPE in text else value


def _escape(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return _escape_text(value)
        case int():
            return value if value.bit_length() <= _LONGEST_INTEGER else f"{ESCAPE}={value:#x}"
        case float():
            return _escape_float(value)
        case Mapping():
            return {_escape_key(key): _escape(item) for key, item in value.items()}
        case list() | tuple():
            return [_escape(item) for item in value]
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case Decimal() | UUID():
            return str(value)
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON type")


def _escape_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"the key {key!r} is not text")
    return _escape_text(key)


def _escape_text(text: str) -> str:
    return UNSAFE.sub(lambda found: f"{ESCAPE}{ord(found[0]):04x}", text)


def _escape_float(value: float) -> float | str:
    text = repr(value)
    return value if _PLAIN_FLOAT.fullmatch(text) and text != "-0.0" else f"{ESCAPE}={text}"


def _unescape(value: Any) -> Any:
    match value:
        case str():
            number = _NUMBER.fullmatch(value)
            return _number(number[1]) if number else _unescape_text(value)
        case dict():
            return {_unescape_text(key): _unescape(item) for key, item in value.items()}
        case list():
            return [_unescape(item) for item in value]
        case _:
            return value


def _unescape_text(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _number(text: str) -> int | float:
    return int(text, 16) if "0x" in text else float(text)


def _integer(digits: str) -> int:
    """Others may have written 1E5000, which `jsonb` spells out: a decimal takes more digits than `int` does."""
    return int(digits) if len(digits) < _MOST_DIGITS else int(Decimal(digits))


_READER = json.JSONDecoder(parse_int=_integer)
