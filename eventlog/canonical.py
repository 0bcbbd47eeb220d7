"""One way to write JSON: the same value gives the same bytes, whatever order its keys came in.

`jsonb` keeps neither key order nor duplicates, so whatever is hashed or sent again is written this way first.
"""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    r"""`value` as UTF-8 JSON with sorted keys and no spaces; lone surrogates are written as `\uXXXX` escapes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", errors="backslashreplace")


def digest_of(value: Any) -> str:
    """The SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
