"""Servers that answer badly: each costs bounded time and memory, and is told in words that betray nothing."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from eventlog.dead_letters import DeadLetter, DeadLetters
from eventlog.postgres import PostgresEventLog
from notices.desk import give_up
from notices.endpoints import Endpoint
from notices.retrying import LONGEST_WISH, pause_after
from tests.notices.conftest import TOKEN, MakePostman, Postman, Scribe, asked, endpoint
from tests.notices.receiver import Behaviour, receiving

HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n"
ECHO = f"400 Bad {TOKEN}"


async def drip(writer: asyncio.StreamWriter) -> None:
    """Say that all is well, and never come to an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        try:
            await writer.drain()
        except ConnectionError:
            return


async def slow(writer: asyncio.StreamWriter) -> None:
    """Never say anything."""
    while not writer.is_closing():
        await asyncio.sleep(0.02)


async def close(writer: asyncio.StreamWriter) -> None:
    """Hang up."""
    writer.close()


async def letters_after(hire: MakePostman, scribe: Scribe, told: Endpoint) -> tuple[Postman, list[DeadLetter]]:
    """The dead letters there are when a question was told once."""
    postman = hire(told)
    await scribe.write(asked(token=True))
    await postman.go()
    return postman, list(await postman.office.letters.open())


@pytest.mark.parametrize("behaviour", [HUGE, drip, b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 Oops\r\n\r\n"])
async def test_a_taken_notice_is_taken(hire: MakePostman, scribe: Scribe, behaviour: Behaviour) -> None:
    """What the status says counts: bodies that never end, or a second answer, are not even read."""
    async with receiving(behaviour) as receiver:
        postman, letters = await letters_after(hire, scribe, endpoint(receiver.url))
        assert letters == []
        await postman.hurry()
        assert await postman.deliver() == 0


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (slow, "no answer within"),
        (close, "closes the connection"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "does not answer as HTTP"),
        ("500 Oops", "500"),
        ("301 Moved\r\nLocation: http://127.0.0.1:1/elsewhere", "redirects are not followed"),
        ("307 Moved\r\nLocation: file:///etc/passwd", "redirects are not followed"),
        ("429 Slow", "429"),
    ],
)
async def test_what_may_pass_is_tried_again(hire: MakePostman, scribe: Scribe, behaviour: Behaviour, told: str) -> None:
    """Silence, nonsense, errors of the server and redirects are tried as often as is said, and then given up."""
    async with receiving(behaviour) as receiver:
        postman, letters = await letters_after(hire, scribe, endpoint(receiver.url, attempts=2, timeout=0.5))
        assert letters == []
        await postman.hurry()
        await postman.deliver()
        [letter] = await postman.office.letters.open()
        assert told in letter.reason
        assert (letter.died.attempts, letter.died.target, letter.died.kind) == (2, "hook", "approval.requested")
        assert len(receiver.received) == 2


@pytest.mark.parametrize("status", ["400 Bad", "401 Who", "404 Where", "410 Gone", "422 What"])
async def test_what_is_refused_for_good_is_not_tried_again(hire: MakePostman, scribe: Scribe, status: str) -> None:
    """A receiver that says the request is wrong is asked once."""
    async with receiving(status) as receiver:
        _, [letter] = await letters_after(hire, scribe, endpoint(receiver.url))
        assert status.split(maxsplit=1)[0] in letter.reason
        assert len(receiver.received) == 1


async def test_nobody_listens(hire: MakePostman, scribe: Scribe) -> None:
    """An address where nothing is says so, by its words and not by its path, which may be a secret."""
    _, [letter] = await letters_after(hire, scribe, endpoint("http://127.0.0.1:1/very-secret", attempts=1))
    assert "cannot be reached" in letter.reason
    assert "very-secret" not in letter.reason


async def test_a_receiver_that_wants_peace_has_it(hire: MakePostman, scribe: Scribe) -> None:
    """Retry-After is obeyed, as seconds or as a date, but not for ever."""
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True)
    async with receiving(f"503 Busy\r\nRetry-After: {later}", "200 OK") as receiver:
        postman = hire(endpoint(receiver.url))
        await scribe.write(asked())
        await postman.go()
        [(seconds,)] = await postman.log.statements.rows(
            "SELECT extract(epoch from due - now())::float8 FROM perdure.deliveries WHERE attempts = 1"
        )
        assert 1500 < seconds < 1801
    assert pause_after(1, 10.0**9) == LONGEST_WISH


def test_pauses_grow_and_differ() -> None:
    """Each pause is about three times the last one, never the same for two, and ends growing some time."""
    first = [pause_after(1, chance=chance) for chance in (0.0, 0.5, 1.0)]
    assert first == pytest.approx([4.0, 5.0, 6.0])
    assert pause_after(2, chance=0.5) == pytest.approx(15.0)
    assert pause_after(1000, chance=0.5) == pytest.approx(6 * 3600.0)
    assert pause_after(1, 60.0) == 60.0


async def test_the_environments_proxy_is_not_asked(
    hire: MakePostman, scribe: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent to an endpoint goes there, whatever proxies the environment names."""
    async with receiving("502 Read along") as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        await letters_after(hire, scribe, endpoint(receiver.url))
        assert len(receiver.received) == 1
        assert proxy.received == []


async def test_what_an_endpoint_echoes_is_not_kept(
    hire: MakePostman, scribe: Scribe, log: PostgresEventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that sends the token back finds it in no event, no row and no log line."""
    echo = f"HTTP/1.1 400 {TOKEN}\r\nLocation: {TOKEN}\r\nContent-Length: {len(TOKEN)}\r\n\r\n{TOKEN}".encode()
    async with receiving(echo) as receiver:
        _, [letter] = await letters_after(hire, scribe, endpoint(receiver.url))
        assert TOKEN in receiver.received[0].body.decode()
    rows = await log.statements.rows("SELECT data::text || metadata::text FROM message_store.messages")
    kept = f"{rows}{capsys.readouterr()}{letter}"
    assert "400" in kept
    assert TOKEN not in kept


async def test_a_worker_that_always_dies_gives_up(hire: MakePostman, scribe: Scribe) -> None:
    """A notice under which workers die is no endless crash: after its attempts it is a dead letter, unsent."""
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url, attempts=2))
        await scribe.write(asked())
        await postman.read()
        for _ in range(2):
            await postman.office.deliveries.claim("hook", 4, 60)
            await postman.hurry()
        await postman.deliver()
        [letter] = await postman.office.letters.open()
        assert "died" in letter.reason
        assert receiver.received == []


async def test_a_letter_is_written_once(hire: MakePostman, scribe: Scribe, log: PostgresEventLog) -> None:
    """Killed between the letter and the note of it, the next worker writes the same one."""
    async with receiving("410 Gone") as receiver:
        postman = hire(endpoint(receiver.url))
        await scribe.write(asked())
        await postman.read()
        [claimed] = await postman.office.deliveries.claim("hook", 4, 60)
        about = await postman.office.reading.about(claimed.event_id)
        for _ in range(2):
            await give_up(postman.office.deliveries, postman.office.letters, claimed, about, "410")
        assert len(await DeadLetters(log).all()) == 1


async def test_a_missing_secret_is_told(hire: MakePostman, scribe: Scribe) -> None:
    """What cannot be signed is not sent; the name of the secret is told, and where to put it."""
    async with receiving() as receiver:
        told = endpoint(receiver.url, secrets=["MISSING"], attempts=1)
        postman, [letter] = await letters_after(hire, scribe, told)
        assert "PERDURE_SECRET_MISSING" in letter.reason
        assert receiver.received == []
        [webhook] = postman.office.addressees.webhooks
        assert any("MISSING" in problem for problem in webhook.problems())


async def test_many_to_one_that_is_slow_take_turns(hire: MakePostman, scribe: Scribe) -> None:
    """An endpoint is sent a few at a time, and in the end all of them."""
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url, kinds=["approval.requested"]))
        for number in range(9):
            await scribe.write(asked(f"toolu_{number}"))
        await postman.read()
        assert [await postman.deliver() for _ in range(4)] == [4, 4, 1, 0]
        assert len({came.headers["webhook-id"] for came in receiver.received}) == 9
