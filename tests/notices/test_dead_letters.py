"""Dead letters: kept, tried again, given up, and told apart."""

from collections.abc import Sequence

import pytest

from eventlog.consumer import Consumer, Follower, Pace
from eventlog.dead_letters import AlreadyDecided, DeadLetter, DeadLetters
from eventlog.events import SessionPaused, SessionResumed
from eventlog.feed import Statement
from eventlog.log import Recorded
from eventlog.postgres import PostgresEventLog
from eventlog.streams import DEAD_LETTER
from notices.again import Again
from tests.notices.conftest import MakePostman, Postman, Scribe, asked, endpoint
from tests.notices.receiver import receiving

SWIFT = Pace(tries=(0.0,))


def again(postman: Postman, *consumers: Consumer) -> Again:
    """What tries letters again."""
    return Again(postman.office, postman.log.feed, {each.name: each for each in consumers})


async def only(log: PostgresEventLog) -> DeadLetter:
    """The one letter there is."""
    [letter] = await DeadLetters(log).all()
    return letter


async def test_a_delivery_is_tried_again(hire: MakePostman, scribe: Scribe, log: PostgresEventLog) -> None:
    """A retry really sends, under the old id; what comes of it is recorded; what was taken is closed."""
    async with receiving("404 Where", "404 Where", "200 OK") as receiver:
        postman = hire(endpoint(receiver.url))
        question = await scribe.write(asked())
        await postman.go()
        trying = again(postman)
        refused = await trying.retry(await only(log), "ana")
        assert (refused.delivered, "404" in refused.told) == (False, True)
        letter = await only(log)
        assert (letter.state, letter.retries) == ("open", 1)
        taken = await trying.retry(letter, "ana")
        assert (taken.delivered, taken.told) == (True, "200 OK")
        closed = await only(log)
        assert (closed.state, closed.retries) == ("delivered", 2)
        assert [type(said).__name__ for _, said in closed.history] == [
            "DeadLettered",
            "DeadLetterRetried",
            "DeadLetterRetried",
        ]
        assert {came.headers["webhook-id"] for came in receiver.received} == {str(question.id)}


async def test_a_letter_refers_and_copies_nothing(hire: MakePostman, scribe: Scribe, log: PostgresEventLog) -> None:
    """It names the event it is about; neither arguments nor tokens nor secrets stand in it."""
    async with receiving("410 Gone") as receiver:
        question = await scribe.write(asked(token=True))
        await hire(endpoint(receiver.url)).go()
    letter = await only(log)
    died = letter.died
    assert (died.event_id, died.stream, died.position) == (question.id, question.stream, question.position)
    assert letter.thread == scribe.stream.partition("-")[2]
    [kept] = [str(each.event) async for each in log.read_category(DEAD_LETTER)]
    assert not any(word in kept for word in ("buy milk", "it writes", "whsec", "/hook"))


async def test_two_people_decide_once(hire: MakePostman, scribe: Scribe, log: PostgresEventLog) -> None:
    """Of two decisions about one letter the second is told that there was a first."""
    async with receiving("410 Gone", "200 OK") as receiver:
        postman = hire(endpoint(receiver.url))
        await scribe.write(asked())
        await postman.go()
        one, other = await only(log), await only(log)
        await again(postman).discard(one, "ana", "told by phone")
        with pytest.raises(AlreadyDecided):
            await again(postman).retry(other, "bob")
        letter = await only(log)
        assert (letter.state, letter.reason) == ("discarded", "told by phone")
        assert await DeadLetters(log).open() == []


async def test_an_event_that_spoils_a_consumer_is_set_aside(
    hire: MakePostman, scribe: Scribe, log: PostgresEventLog
) -> None:
    """The consumer goes on; the letter can be tried again when the consumer can deal with it."""
    seen: list[Recorded] = []
    mended = False

    async def handle(events: Sequence[Recorded]) -> Sequence[Statement]:
        if not mended and any(isinstance(each.event, SessionPaused) for each in events):
            raise ValueError("cannot bear pauses")
        seen.extend(events)
        return ()

    consumer = Consumer("delicate", handle)
    paused = await scribe.write(SessionPaused(by="ana"))
    resumed = await scribe.write(SessionResumed(by="ana"))
    assert await Follower(log.feed, consumer, DeadLetters(log).set_aside, SWIFT).catch_up()
    assert [each.id for each in seen] == [resumed.id]
    letter = await only(log)
    assert (letter.died.what, letter.died.target, letter.died.kind) == ("event", "delicate", "SessionPaused")
    assert "cannot bear pauses" in letter.reason
    trying = again(hire(), consumer)
    assert not (await trying.retry(letter, "ana")).delivered
    mended = True
    assert (await trying.retry(await only(log), "ana")).delivered
    assert [each.id for each in seen] == [resumed.id, paused.id]


async def test_what_is_no_event_is_set_aside(hire: MakePostman, scribe: Scribe, log: PostgresEventLog) -> None:
    """A row that somebody else wrote, and that is no event of ours, holds no notice up."""
    broken = "SELECT message_store.write_message(gen_random_uuid()::varchar, %s, 'ApprovalRequested', '{}', '{}')"
    await log.statements.rows(broken, scribe.stream)
    await Scribe(log).write(asked())
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url))
        await postman.go()
        assert receiver.kinds() == ["approval.requested"]
        letter = await only(log)
        assert (letter.died.target, letter.died.stream) == ("notices", scribe.stream)
        tried = await again(postman, *postman.office.consumers).retry(letter, "ana")
        assert not tried.delivered
        assert "no event" in tried.told


async def test_what_nobody_serves_any_more_is_given_up(
    hire: MakePostman, scribe: Scribe, log: PostgresEventLog
) -> None:
    """Notices for an endpoint that was taken out of the settings do not wait for ever."""
    async with receiving() as receiver:
        await scribe.write(asked())
        await hire(endpoint(receiver.url, "former", kinds=["approval.requested"])).read()
        postman = hire(endpoint(receiver.url, "today"))
        await postman.office.bury_orphans()
        assert await DeadLetters(log).all() == ()
        await log.statements.rows("UPDATE perdure.deliveries SET due = due - interval '2 days' RETURNING 1")
        await postman.office.bury_orphans()
        assert (await only(log)).died.target == "former"
        assert await postman.office.deliveries.backlog() == []


async def test_a_notice_is_not_wasted_without_its_token(
    hire: MakePostman, scribe: Scribe, log: PostgresEventLog
) -> None:
    """Where the key is missing or another, a retry says so and sends nothing: whoever got it could not answer."""
    async with receiving("410 Gone", "200 OK") as receiver:
        postman = hire(endpoint(receiver.url))
        await scribe.write(asked(token=True))
        await postman.go()
        for token_of in (lambda _: None, lambda _: "another"):
            tried = await again(hire(endpoint(receiver.url), token_of=token_of)).retry(await only(log), "ana")
            assert (tried.delivered, "PERDURE_APPROVAL_KEY" in tried.told) == (False, True)
        assert len(receiver.received) == 1
        assert (await again(postman).retry(await only(log), "ana")).delivered


async def test_a_worker_with_another_key_sends_no_wrong_token(hire: MakePostman, scribe: Scribe) -> None:
    """A token that does not fit the question is left out: the question is told all the same."""
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url), token_of=lambda _: "another")
        await scribe.write(asked(token=True))
        await postman.go()
        assert "token" not in receiver.received[0].json["data"]
