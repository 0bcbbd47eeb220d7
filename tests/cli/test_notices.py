"""`perdure webhooks` and `perdure dead-letters`, as commands."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eventlog.postgres import PostgresEventLog
from notices.receiving import verify
from tests.cli.conftest import Perdure
from tests.cli.nursery import Nursery
from tests.conftest import Database
from tests.notices.conftest import SECRET, MakePostman, Scribe, asked, endpoint, hire  # noqa: F401 - a fixture
from tests.notices.receiver import receiving


@pytest.fixture
async def log(database: Database) -> AsyncIterator[PostgresEventLog]:
    """The log."""
    async with PostgresEventLog.connect(database.url) as log:
        yield log


@pytest.fixture
def told(tmp_path: Path, database: Database, nursery: Nursery) -> Perdure:
    """The command, with endpoints and a secret, and no Temporal: none of these needs it."""
    settings = {
        "DATABASE_URL": database.url,
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "ANTHROPIC_API_KEY": "key-of-the-tests",
        "PERDURE_WEBHOOKS": str(tmp_path / "hooks.yaml"),
        "PERDURE_SECRET_HOOK": SECRET,
        "PERDURE_PRINCIPAL": "ana",
    }
    return Perdure(tmp_path, settings, nursery)


def write(told: Perdure, url: str, **more: str) -> None:
    """The file of endpoints."""
    said = "".join(f", {key}: {value}" for key, value in more.items())
    (told.folder / "hooks.yaml").write_text(f"endpoints: [{{name: hook, url: '{url}', secrets: HOOK{said}}}]")


async def test_a_test_shows_what_is_sent_and_answered(told: Perdure) -> None:
    """Who sets an endpoint up sees the very notice, signed as in earnest, the answer, and what may be wrong."""
    moved = "302 Moved\r\nLocation: https://elsewhere.example/"
    spoken = b"HTTP/1.1 401 Who\r\nContent-Length: 12\r\n\r\nno such luck"
    async with receiving("204 No Content", moved, spoken, "200 OK") as receiver:
        write(told, receiver.url, kinds="budget.*")
        taken = (await told("webhooks", "test", "--json")).json["answers"][0]
        assert (taken["taken"], taken["status"], taken["answer"]) == (True, 204, "204 No Content")
        came = receiver.received[0]
        assert verify(came.body, came.headers, [SECRET])["type"] == "webhook.test"
        assert taken["sent"].encode() == came.body
        redirected = await told("webhooks", "test", "hook")
        assert (redirected.code, "set url to https://elsewhere.example/" in redirected.out) == (1, True)
        refused = await told("webhooks", "test")
        assert "no such luck" in refused.out
        assert "the same secret" in refused.out
        assert (await told("webhooks", "test", "--kind", "approval.escalated")).code == 0
        assert receiver.received[3].json["data"]["approvers"] == [["lead-*"]]


async def test_what_cannot_be_tested_is_told(told: Perdure) -> None:
    """No endpoint, an unknown one, an unknown kind, a missing secret and silence: each says what to do."""
    nothing = await told("webhooks", "test", PERDURE_WEBHOOKS="")
    assert (nothing.code, "PERDURE_WEBHOOKS" in nothing.err) == (2, True)
    write(told, "http://127.0.0.1:1/")
    assert (await told("webhooks", "test", "hok")).code == 4
    assert "approval.requested" in (await told("webhooks", "test", "--kind", "aproval")).err
    silent = await told("webhooks", "test")
    assert (silent.code, "nobody listens" in silent.out) == (1, True)
    secretless = await told("webhooks", "test", PERDURE_SECRET_HOOK="")
    assert "PERDURE_SECRET_HOOK" in secretless.out
    write(told, "http://127.0.0.1:1/", kind="x")
    assert "there is no key 'kind' here: did you mean kinds?" in (await told("webhooks", "test")).err


async def test_secrets_are_made(alone: Perdure) -> None:
    """A new secret needs no system that runs, and signs."""
    made = (await alone("webhooks", "secret")).out.strip()
    assert made.startswith("whsec_")


async def test_the_list_tells_what_waits_and_what_is_wrong(
    told: Perdure,
    hire: MakePostman,  # noqa: F811 - pytest's way to ask for a fixture
    log: PostgresEventLog,
) -> None:
    """Each endpoint with its host, what waits for it, and why it was not taken; a secret that is missing is told."""
    async with receiving("500 Oops") as receiver:
        write(told, receiver.url)
        await Scribe(log).write(asked())
        await hire(endpoint(receiver.url)).go()
        [line] = (await told("webhooks", "list", "--json")).json["targets"]
        assert (line["name"], line["waiting"], line["reminders"], line["problems"]) == ("hook", 1, 1, [])
        assert "500" in line["last_problem"]
        assert "/hook" not in line["where"]
        broken = await told("webhooks", "list", PERDURE_SECRET_HOOK="whsec_AAAA")
        assert (broken.code, "cannot sign" in broken.out, "AAAA" in broken.out) == (1, True, False)
        doctor = (await told("doctor", "--json")).json["checks"]
        [webhooks] = [check for check in doctor if check["name"] == "webhooks"]
        assert (webhooks["ok"], webhooks["detail"].startswith("1 to tell, 1 notices wait; hook: ")) == (False, True)


async def test_dead_letters_are_decided_about(
    told: Perdure,
    hire: MakePostman,  # noqa: F811 - pytest's way to ask for a fixture
    log: PostgresEventLog,
) -> None:
    """They are listed, shown, tried again in earnest, and given up; the doctor counts what is left."""
    async with receiving("404 Where", "404 Where", "404 Where", "200 OK") as receiver:
        write(told, receiver.url)
        await Scribe(log).write(asked("toolu_1"))
        await Scribe(log).write(asked("toolu_2"))
        await hire(endpoint(receiver.url)).go()
        first, second = (await told("dead-letters", "list", "--json")).json["dead_letters"]
        assert (first["target"], first["kind"], first["state"]) == ("hook", "approval.requested", "open")
        doctor = (await told("doctor", "--json")).json["checks"]
        [counted] = [check for check in doctor if check["name"] == "dead letters"]
        assert (counted["ok"], counted["detail"]) == (False, "2 wait for a decision")
        refused = await told("dead-letters", "retry", first["id"])
        assert (refused.code, "404" in refused.out) == (1, True)
        taken = await told("dead-letters", "retry", "--all", "--kind", "approval.*", "--json")
        assert (taken.code, [line["delivered"] for line in taken.json["tried"]]) == (0, [True, True])
        assert (await told("dead-letters", "list")).out.strip() == "no dead letters"
        shown = (await told("dead-letters", "show", first["id"], "--json")).json
        assert [each["event"] for each in shown["history"]] == [
            "DeadLettered",
            "DeadLetterRetried",
            "DeadLetterRetried",
        ]
        assert {each.get("by") for each in shown["history"]} == {None, "ana"}
        assert (await told("dead-letters", "discard", second["id"])).code == 4


async def test_letters_are_given_up(
    told: Perdure,
    hire: MakePostman,  # noqa: F811 - pytest's way to ask for a fixture
    log: PostgresEventLog,
) -> None:
    """What is discarded is kept with its reason, and not listed; which ones must be said."""
    async with receiving("410 Gone") as receiver:
        write(told, receiver.url)
        await Scribe(log).write(asked())
        await hire(endpoint(receiver.url)).go()
        assert (await told("dead-letters", "discard")).code == 2
        assert (await told("dead-letters", "discard", "--all", "--reason", "told by phone")).code == 0
        [letter] = (await told("dead-letters", "list", "--closed", "--json")).json["dead_letters"]
        assert (letter["state"], letter["reason"]) == ("discarded", "told by phone")
