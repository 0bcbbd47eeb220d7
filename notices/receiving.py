"""For programs that receive notices: whether one is genuine, new enough and whole.

    notice = verify(body, request.headers, [secret])     # the body as it came: bytes, not parsed and written again

A notice may come more than once, always with the same `webhook-id`: do what it asks for once.
"""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from notices.signing import is_signed, key_of

TOLERANCE = 300.0
"""Seconds that the sender's clock and ours may differ: what was signed earlier may be somebody's copy."""


class NotGenuine(ValueError):
    """It was not sent by who knows the secret, or not now."""


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secrets: Iterable[str],
    *,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> dict[str, Any]:
    """What the notice says; raises `NotGenuine`, and `UnusableSecret` for a secret that is none."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        id_, told, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        seconds = int(told)
    except (KeyError, ValueError):
        raise NotGenuine("the headers webhook-id, webhook-timestamp and webhook-signature are needed") from None
    if abs((time.time() if now is None else now) - seconds) > tolerance:
        raise NotGenuine("it was signed too long ago, or the clocks differ")
    if not is_signed(signatures, id_, seconds, body, [key_of(secret) for secret in secrets]):
        raise NotGenuine("no signature is that of a secret given here")
    notice = json.loads(body)
    if not isinstance(notice, dict):
        raise NotGenuine("the body is no JSON object")
    return notice
