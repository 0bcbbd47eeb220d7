"""Thinking carries a signature, so that a thought that was altered on its way is noticed when it comes back.

A signature is a function of the thought alone: the server remembers nothing and may be restarted at any time.
"""

import base64
import binascii
import hashlib
import hmac

_KEY = b"the scripted model signs its own thoughts"
_TAG_BYTES = 16


def sign(thinking: str) -> str:
    """The signature of this thought."""
    return base64.b64encode(_digest(thinking.encode("utf-8", "surrogatepass"))).decode()


def is_signed(thinking: str, signature: str) -> bool:
    """Whether the thought is what it was when it was signed."""
    return hmac.compare_digest(sign(thinking).encode(), signature.encode("utf-8", "surrogatepass"))


def redact(thinking: str) -> str:
    """The thought as opaque data that only this module can check."""
    plain = thinking.encode("utf-8", "surrogatepass")
    return base64.b64encode(_digest(plain)[:_TAG_BYTES] + plain).decode()


def is_redacted(data: str) -> bool:
    """Whether the data is what `redact` once made."""
    try:
        sealed = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(sealed[:_TAG_BYTES], _digest(sealed[_TAG_BYTES:])[:_TAG_BYTES])


def _digest(plain: bytes) -> bytes:
    return hmac.new(_KEY, plain, hashlib.sha256).digest()
