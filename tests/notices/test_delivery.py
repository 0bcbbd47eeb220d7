"""Notices reach those who want them: once where all is well, again under the same id where it is not."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from eventlog.dead_letters import DeadLetters
from eventlog.events import ApprovalDenied, ApprovalGranted, BudgetExceeded, BudgetRaised, SessionCompleted
from eventlog.log import Entry
from eventlog.metadata import Metadata
from eventlog.postgres import PostgresEventLog
from eventlog.raises import Raise
from ledger.alerts import UsageAlert
from notices.desk import serving
from notices.receiving import verify
from tests.notices.conftest import NEWER, SECRET, TOKEN, MakePostman, Scribe, asked, endpoint
from tests.notices.receiver import receiving


async def test_a_question_is_told_signed_and_whole(hire: MakePostman, scribe: Scribe) -> None:
    """An approver reads who asks for what, exactly, and how to answer; the signature is that of each secret."""
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url, secrets=["HOOK", "HOOK_NEW"]))
        question = await scribe.write(asked(token=True))
        assert await postman.go() == 1
        [came] = receiver.received
        said = verify(came.body, came.headers, [SECRET])
        assert said == verify(came.body, came.headers, [NEWER])
        data, thread = said["data"], scribe.stream.partition("-")[2]
        assert came.headers["webhook-id"] == data["event_id"] == str(question.id)
        assert said["type"] == "approval.requested"
        assert (data["thread_id"], data["tenant"], data["call_id"]) == (thread, "acme", "toolu_1")
        assert data["arguments"] == {"path": "notes.md", "content": "buy milk"}
        assert (data["tool_name"], data["risk"], data["reason"]) == ("write_file", "medium", "it writes")
        assert data["token"] == TOKEN
        assert data["answers"]["perdure"]["approve"] == f"perdure approve {thread} toolu_1 --token {TOKEN}"
        assert "token_sha256" not in data
        assert await postman.go() == 0


async def test_what_is_withheld_stays_away(hire: MakePostman, scribe: Scribe) -> None:
    """Where an endpoint may know no content and no tokens, it gets neither arguments nor reasons nor a token."""
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url, content=False, tokens=False))
        await scribe.write(asked(token=True))
        await postman.go()
        [came] = receiver.received
        assert not any(word in came.body.decode() for word in ("buy milk", "it writes", TOKEN))
        assert came.json["data"]["question"] == "write_file notes.md (8 characters)"


async def test_only_what_is_wanted_is_told(hire: MakePostman, scribe: Scribe, log: PostgresEventLog) -> None:
    """Each endpoint is told of its kinds and its tenants."""
    async with receiving() as first, receiving() as second:
        postman = hire(
            endpoint(first.url, "answers", kinds=["approval.granted", "approval.denied"]),
            endpoint(second.url, "acme", tenants=["ac*"]),
        )
        await scribe.write(asked())
        await scribe.write(ApprovalGranted(call_id="toolu_1", digest="d" * 64, approver="ana"))
        await Scribe(log, tenant="globex").write(asked())
        await postman.go()
        assert first.kinds() == ["approval.granted"]
        assert sorted(second.kinds()) == ["approval.granted", "approval.requested"]
        assert first.received[0].json["data"]["approver"] == "ana"
        assert first.received[0].json["data"]["question"] == "write_file notes.md (8 characters)"


async def test_what_failed_comes_again_under_the_same_id(hire: MakePostman, scribe: Scribe) -> None:
    """After errors of its own the endpoint is asked again, later, with a new signature and the old id."""
    async with receiving("500 Oops", "503 Busy", "204 No Content") as receiver:
        postman = hire(endpoint(receiver.url))
        await scribe.write(asked())
        assert await postman.go() == 1
        assert await postman.deliver() == 0
        for _ in range(2):
            await postman.hurry()
            assert await postman.deliver() == 1
        assert len({came.headers["webhook-id"] for came in receiver.received}) == 1
        assert len(receiver.received) == 3
        await postman.hurry()
        assert await postman.deliver() == 0


async def test_a_worker_that_died_after_sending_is_repeated(hire: MakePostman, scribe: Scribe) -> None:
    """Killed between the delivery and its note of it, another worker delivers again: the same id, the same words."""
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url))
        await scribe.write(asked())
        await postman.read()
        [claimed] = await postman.office.deliveries.claim("hook", 4, 60)
        about = await postman.office.reading.about(claimed.event_id)
        assert about is not None
        target = postman.office.addressees.targets["hook"]
        await target.tell(postman.office.reading.notice(about, target, claimed.kind, claimed.notice))
        assert await postman.deliver() == 0  # the claim of the dead one still holds
        await postman.hurry()
        assert await postman.deliver() == 1
        one, other = receiver.received
        assert (one.headers["webhook-id"], one.body) == (other.headers["webhook-id"], other.body)


async def test_the_log_is_read_once(hire: MakePostman, scribe: Scribe) -> None:
    """What was delivered does not come again because another process reads on."""
    async with receiving() as receiver:
        await scribe.write(asked())
        await hire(endpoint(receiver.url)).go()
        assert await hire(endpoint(receiver.url)).go() == 0
        assert len(receiver.received) == 1


async def test_one_that_is_dead_delays_nobody(hire: MakePostman, scribe: Scribe) -> None:
    """An endpoint that never answers has its own desk: another one is served meanwhile, and first."""
    silence = asyncio.Event()

    async def hang(_: object) -> None:
        await silence.wait()

    async with receiving(hang) as dead, receiving() as alive:
        postman = hire(endpoint(dead.url, "dead", timeout=60), endpoint(alive.url, "alive"))
        await scribe.write(asked())
        await postman.read()
        async with serving(postman.office.desks, postman.office.bury_orphans):
            await dead.until(1)
            await alive.until(1)
            await scribe.write(asked("toolu_2"))
            await postman.read()
            await alive.until(2)
        silence.set()


async def test_reminders_come_before_the_end(hire: MakePostman, scribe: Scribe) -> None:
    """A question is told again before it expires, whole and with its own id, and not sooner."""
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url), remind=timedelta(minutes=10))
        soon = await scribe.write(asked(expires_in=timedelta(minutes=9)), ago=timedelta(hours=2))
        await scribe.write(asked("toolu_2", expires_in=timedelta(hours=1)))
        assert await postman.go() == 3
        assert sorted(receiver.kinds()) == ["approval.expiring", "approval.requested", "approval.requested"]
        [reminder] = [came for came in receiver.received if came.json["type"] == "approval.expiring"]
        assert reminder.headers["webhook-id"] == f"{soon.id}-expiring"
        assert reminder.json["data"]["arguments"]


@pytest.mark.parametrize(
    "settling",
    [
        ApprovalDenied(call_id="toolu_1", approver="ana", reason="no"),
        SessionCompleted(completion_reason="terminated", summary="over"),
    ],
)
async def test_nobody_is_reminded_of_what_is_settled(
    hire: MakePostman, scribe: Scribe, settling: ApprovalDenied | SessionCompleted
) -> None:
    """Neither a reminder nor a late word about a question is sent when nobody need answer any more."""
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url, kinds=["approval.requested", "approval.expiring"]))
        await scribe.write(asked(), ago=timedelta(hours=2))
        await scribe.write(settling)
        await postman.read()
        await postman.hurry(reminders=True)
        assert await postman.deliver() == 2
        assert receiver.received == []


async def test_old_news_is_not_told(hire: MakePostman, scribe: Scribe) -> None:
    """Who sets notices up late is told of what still waits, however old, and of no answer of long ago."""
    async with receiving() as receiver:
        await scribe.write(asked("toolu_1"), ago=timedelta(days=3))
        await scribe.write(ApprovalGranted(call_id="toolu_1", digest="d" * 64, approver="ana"), ago=timedelta(days=2))
        await scribe.write(asked("toolu_2"), ago=timedelta(days=3))
        await hire(endpoint(receiver.url)).go()
        assert [came.json["data"]["call_id"] for came in receiver.received] == ["toolu_2"]


async def test_no_letter_dies_where_all_goes_well(hire: MakePostman, scribe: Scribe, log: PostgresEventLog) -> None:
    """Delivered notices leave no dead letters and nothing that waits."""
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url, kinds=["approval.requested"]))
        await scribe.write(asked())
        await postman.go()
        assert await DeadLetters(log).all() == ()
        assert await postman.office.deliveries.backlog() == []


async def test_alerts_of_use_are_told(hire: MakePostman, log: PostgresEventLog) -> None:
    """An alert of the ledger is about a tenant and no thread, and has no content to be withheld."""
    alert = UsageAlert(
        alert="daily", measure="cost", limit=Decimal(5), used=Decimal("5.10"), unpriced=0, per="day",
        period=f"{datetime.now(UTC):%Y-%m-%d}", tenant="acme",
    )  # fmt: skip
    async with receiving() as receiver, receiving() as other:
        postman = hire(
            endpoint(receiver.url, kinds="usage.alert", tenants="acme", content=False),
            endpoint(other.url, "other", tenants="globex"),
        )
        await log.append(alert.stream, Entry(alert.id, alert.written(), Metadata(at=datetime.now(UTC))))
        await postman.go()
        [came] = receiver.received
        data = came.json["data"]
        assert (came.json["type"], data["alert"], data["used"]) == ("usage.alert", "daily", "5.10")
        assert data["text"].startswith("alert daily: acme used 5.10 of 5 (cost)")
        assert "thread_id" not in data
        assert other.received == []


@pytest.mark.parametrize("answer", [BudgetRaised(more=Raise(cost=Decimal(1)), by="ana"), None])
async def test_a_question_about_money_is_told(hire: MakePostman, scribe: Scribe, answer: BudgetRaised | None) -> None:
    """A thread at its limit says what it asks for and how to answer; nobody is reminded once somebody has."""
    async with receiving() as receiver:
        postman = hire(endpoint(receiver.url, kinds="budget.*"))
        ends = datetime.now(UTC) + timedelta(minutes=1)
        asks = BudgetExceeded(limit="cost", allowed=5, used=5, action="ask", question="more?", expires_at=ends)
        await scribe.write(asks, ago=timedelta(hours=3))
        if answer:
            await scribe.write(answer)
        await postman.go()
        if answer:
            assert receiver.kinds() == ["budget.raised"]
        else:
            assert sorted(receiver.kinds()) == ["budget.exceeded", "budget.expiring"]
            answers = receiver.received[0].json["data"]["answers"]
            assert "--refuse" in answers["perdure"]["refuse"]
