"""Resume tokens: what somebody must show, besides a name, to answer a question whose terms want one.

A token is made of a key and of the id of the event that asks, so it is stored nowhere: the event holds its SHA-256,
and whoever has the key can make it again, to send it to those who may answer. A token answers one question, once.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from uuid import UUID

from pydantic import SecretStr

SHORTEST_KEY = 32
"""Characters."""


def digest_of_token(token: str) -> str:
    """SHA-256 of a token, in hexadecimal: all that may be kept of it."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def is_right(shown: str | None, asked: str | None) -> bool:
    """Whether the digest of what was shown is the one that was asked for, in the same time wherever they differ."""
    return shown is not None and asked is not None and hmac.compare_digest(shown, asked)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Makes the tokens of questions; none without a key."""

    key: SecretStr | None = field(default=None, repr=False)

    def token_of(self, event_id: UUID) -> str | None:
        """The token of the question that the event with this id asks; 43 characters that fit into a URL."""
        if self.key is None:
            return None
        secret = self.key.get_secret_value().encode()
        made = hmac.new(secret, b"perdure approval\n" + event_id.bytes, hashlib.sha256)
        return _urlsafe(made.digest())

    def digest_for(self, event_id: UUID) -> str | None:
        """What the event keeps of its token."""
        token = self.token_of(event_id)
        return None if token is None else digest_of_token(token)


def _urlsafe(data: bytes) -> str:
    """Bytes as letters, digits, - and _."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()
