"""One way to write JSON: the same value gives the same bytes, whatever order its keys came in.

`jsonb` keeps neither key order nor duplicates, so whatever is hashed or sent again is written this way first.
"""

import hashlib
import json
from typing import Any

_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_text(value: Any) -> str:
    """`value` as JSON with sorted keys and no spaces; lone surrogates stand in it as they are."""
    return _WRITER.encode(value)


def canonical_json(value: Any) -> bytes:
    r"""`value` as UTF-8 JSON with sorted keys and no spaces; lone surrogates are written as `\uXXXX` escapes."""
    return canonical_text(value).encode("utf-8", errors="backslashreplace")


def digest_of(value: Any) -> str:
    """The SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
