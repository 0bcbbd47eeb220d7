"""The file of endpoints: what it may say, and how its mistakes are told."""

from pathlib import Path

import pytest

from notices.endpoints import read_webhooks
from policy.mistakes import InvalidFile

GOOD = """\
description: Where we are told.
remind: 10m
endpoints:
  - name: approvals
    url: https://hooks.example/perdure
    secrets: HOOK
    kinds: approval.*
    tenants: [acme, "globex-*"]
    content: false
    tokens: false
    headers: {Authorization: HOOK_KEY}
    timeout: 5
    attempts: 3
  - {name: chat, url_secret: CHAT_URL, secrets: [HOOK, HOOK_NEW]}
"""


def said(tmp_path: Path, text: str) -> Path:
    """A file."""
    file = tmp_path / "webhooks.yaml"
    file.write_text(text)
    return file


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    """Every key counts, and what is left out has its default."""
    read = read_webhooks(said(tmp_path, GOOD))
    approvals, chat = read.endpoints
    assert read.remind == 600
    assert approvals.wants("approval.denied", "globex-eu")
    assert not approvals.wants("approval.denied", "initech")
    assert not approvals.wants("budget.warned", "acme")
    assert chat.wants("budget.warned", "anybody")
    assert (chat.secrets, chat.content, chat.timeout, chat.attempts) == (("HOOK", "HOOK_NEW"), True, 15.0, 10)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("remind: 10m", "remnid: 10m"), ":2:1: there is no key 'remnid' here: did you mean remind?"),
        (("url: https", "uri: https"), ":5:5: there is no key 'uri' here: did you mean url?"),
        (("url: https://hooks.example/perdure", "url: ftp://x"), "this is no https:// address"),
        (("url: https://hooks.example/perdure", "url: http://hooks.example/"), "say insecure: true"),
        (("url: https://hooks.example/perdure", "url: https://a:b@hooks.example/"), "no user and no password"),
        (("url: https://hooks.example/perdure", "url_secret: hooks"), "must be the name of a secret"),
        (("secrets: HOOK\n", "secrets: whsec_AAAA\n"), ":6:14: secrets: this must be the name of a secret"),
        (("    secrets: HOOK\n", ""), "secrets is missing"),
        (("kinds: approval.*", "kinds: aproval.*"), "no kind of notice is called 'aproval.*': there are approval."),
        (("name: chat", "name: approvals"), "two endpoints are called 'approvals'"),
        (("name: chat", "name: plugin:chat"), "a name has 1 to 64"),
        (("Authorization", "webhook-id"), "the header 'webhook-id' cannot be set"),
        (("timeout: 5", "timeout: 0"), ":12:14: timeout is 0: it must be greater than 0"),
        (("attempts: 3", "attempts: many"), "attempts is"),
    ],
)
def test_mistakes_are_told_by_line(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    """Who has misspelt something reads where, and what to write; a secret that stands there is no help to anybody."""
    with pytest.raises(InvalidFile) as wrong:
        read_webhooks(said(tmp_path, GOOD.replace(*change)))
    assert told in str(wrong.value)
    assert "AAAA" not in str(wrong.value)


def test_this_machine_may_be_told_in_plain_http(tmp_path: Path) -> None:
    """What does not leave the machine needs no TLS; what does can be allowed."""
    for url in ("http://localhost:9/", "http://127.0.0.1:9/", "http://[::1]:9/"):
        assert read_webhooks(said(tmp_path, f"endpoints: [{{name: a, url: '{url}', secrets: [S]}}]"))
    assert read_webhooks(said(tmp_path, "endpoints: [{name: a, url: 'http://b/', secrets: [S], insecure: true}]"))
