"""The tokens of questions: made again by whoever has the key, and by nobody else."""

import re
from uuid import UUID

from pydantic import SecretStr

from activities.steps import Tell
from activities.tokens import Tokens, digest_of_token, is_right
from projections.requests import Approve, Deny

ONE, OTHER = UUID(int=1), UUID(int=2)
TOKENS = Tokens(SecretStr("a key that nobody has ever guessed"))


def test_a_token_belongs_to_one_question_and_one_key() -> None:
    """The same again for the same event; another for another one, or with another key."""
    token = TOKENS.token_of(ONE)
    assert token is not None
    assert token == TOKENS.token_of(ONE)
    others = (TOKENS.token_of(OTHER), Tokens(SecretStr("another key that nobody has guessed")).token_of(ONE))
    assert token not in others
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)


def test_without_a_key_there_are_no_tokens() -> None:
    """Nor what an event would keep of one."""
    assert Tokens().token_of(ONE) is None
    assert Tokens().digest_for(ONE) is None


def test_only_the_very_token_is_right() -> None:
    """By what the event keeps of it, which is not itself a token; nothing is right where none was asked for."""
    token, kept = TOKENS.token_of(ONE), TOKENS.digest_for(ONE)
    assert token is not None
    assert kept is not None
    assert is_right(digest_of_token(token), kept)
    for wrong in (digest_of_token(token + "x"), digest_of_token(kept), digest_of_token(""), None):
        assert not is_right(wrong, kept)
    assert not is_right(None, None)


def test_a_token_is_not_handed_on() -> None:
    """What the workflow tells the worker has its digest, and no text of the request has it."""
    for request in (Approve(call_id="a", token="open sesame"), Deny(call_id="a", token="open sesame")):
        tell = Tell.of(0, "k", request)
        assert tell.token_sha256 == digest_of_token("open sesame")
        assert "open sesame" not in tell.model_dump_json()
        assert "open sesame" not in repr(request)


def test_an_answer_without_a_token_is_told_as_it_always_was() -> None:
    """Temporal keeps every byte of it for ever."""
    told = Tell.of(0, "k", Approve(call_id="a")).model_dump(mode="json")
    assert told == {
        "started_ms": 0,
        "key": "k",
        "request": {
            "request": "approve",
            "call_id": "a",
            "approver": "anonymous",
            "comment": None,
            "edited_arguments": None,
        },
    }
