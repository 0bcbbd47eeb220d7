"""Signatures as in the Standard Webhooks specification: HMAC-SHA256 over id, time and body, one for each secret.

Several secrets sign side by side, so that a secret can be changed without a moment in which a receiver that knows
only one of them, old or new, is left out.
"""

import base64
import binascii
import hashlib
import hmac
import secrets as randomness
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
FEWEST, MOST = 24, 64
"""Bytes of a secret."""
_VERSION = "v1"


class UnusableSecret(ValueError):
    """A secret has not the form it must have. The message never holds it."""


def new_secret() -> str:
    """A secret as both sides are given it."""
    return PREFIX + base64.b64encode(randomness.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret; raises `UnusableSecret`."""
    text = secret.strip()
    if not text.startswith(PREFIX):
        raise UnusableSecret(f"it must begin with {PREFIX}: `perdure webhooks secret` makes one")
    try:
        key = base64.b64decode(_padded(text.removeprefix(PREFIX)), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableSecret(f"what follows {PREFIX} must be base64") from None  # the cause repeats what it was given
    if not FEWEST <= len(key) <= MOST:
        raise UnusableSecret(f"it has {len(key)} bytes, and must have {FEWEST} to {MOST}")
    return key


def headers(id_: str, seconds: int, body: bytes, keys: Iterable[bytes]) -> Mapping[str, str]:
    """What is sent along with a body at a time, in seconds of Unix time."""
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"{_VERSION},{signature(id_, seconds, body, key)}" for key in keys),
    }


def signature(id_: str, seconds: int, body: bytes, key: bytes) -> str:
    """The signature of one key, in base64."""
    signed = f"{id_}.{seconds}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def is_signed(given: str, id_: str, seconds: int, body: bytes, keys: Iterable[bytes]) -> bool:
    """Whether one of the signatures in a header is that of one of the keys; compared in constant time."""
    expected = [signature(id_, seconds, body, key).encode() for key in keys]
    split = (each.partition(",") for each in given.split())
    offered = [text.encode() for version, _, text in split if version == _VERSION]
    return any([hmac.compare_digest(one, other) for one in expected for other in offered])  # noqa: C419 - all of them


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)
