"""Signatures, by the words and the published example of the Standard Webhooks specification."""

import base64

import pytest

from notices.receiving import NotGenuine, verify
from notices.signing import UnusableSecret, headers, key_of, new_secret, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNED = "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example_is_signed_as_published() -> None:
    """The reference vector of the specification's own libraries comes out to the letter."""
    assert signature(ID, AT, BODY, key_of(SECRET)) == SIGNED


def test_each_secret_signs() -> None:
    """While a secret is exchanged, receivers that know either of the two take the notice."""
    other = new_secret()
    sent = headers(ID, AT, BODY, [key_of(SECRET), key_of(other)])
    assert sent["webhook-signature"].split()[0] == f"v1,{SIGNED}"
    assert verify(BODY, sent, [other], now=AT) == verify(BODY, sent, [SECRET], now=AT) == {"test": 2432232314}


@pytest.mark.parametrize(
    ("body", "change", "now"),
    [
        (b'{"test": 2432232315}', {}, AT),
        (BODY, {"webhook-id": "msg_other"}, AT),
        (BODY, {"webhook-timestamp": str(AT + 1)}, AT),
        (BODY, {"webhook-timestamp": "soon"}, AT),
        (BODY, {"webhook-signature": f"v1a,{SIGNED}"}, AT),
        (BODY, {"webhook-signature": SIGNED}, AT),
        (BODY, {"webhook-signature": "v1,é"}, AT),
        (BODY, {}, AT + 301),
        (BODY, {}, AT - 301),
    ],
)
def test_what_was_changed_or_is_old_is_not_genuine(body: bytes, change: dict[str, str], now: float) -> None:
    """A receiver that uses `verify` takes nothing but what was signed, and only within five minutes."""
    sent = {**headers(ID, AT, BODY, [key_of(SECRET)]), **change}
    with pytest.raises(NotGenuine):
        verify(body, sent, [SECRET], now=now)


def test_headers_may_come_in_any_case_and_not_at_all() -> None:
    """Servers spell headers as they like; without them nothing is genuine."""
    sent = {name.title(): value for name, value in headers(ID, AT, BODY, [key_of(SECRET)]).items()}
    assert verify(BODY, sent, [SECRET], now=AT)
    with pytest.raises(NotGenuine, match="needed"):
        verify(BODY, {}, [SECRET], now=AT)


@pytest.mark.parametrize(
    "secret",
    ["", "secret", "whsec_", "whsec_%%%%", "whsec_" + base64.b64encode(b"short").decode(), "whsec_" + "A" * 96],
)
def test_secrets_have_their_form(secret: str) -> None:
    """What is too short, too long or no base64 is refused, in words that do not repeat it."""
    with pytest.raises(UnusableSecret) as refused:
        key_of(secret)
    assert len(secret) < 7 or secret.removeprefix("whsec_") not in str(refused.value)


def test_new_secrets_can_be_used() -> None:
    """What is made here is taken here, and is another one each time."""
    assert len({key_of(new_secret()) for _ in range(10)}) == 10
