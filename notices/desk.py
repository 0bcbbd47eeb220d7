"""The desk that sends what is due: every target has its own, so that one that is dead holds up nobody else."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import structlog

from eventlog.dead_letters import LONGEST_REASON, DeadLettered, DeadLetters
from eventlog.log import EventLog, LogCorrupted, LogError, LogMisconfigured, Recorded
from notices.deliveries import Deliveries, Delivery
from notices.kinds import EXPIRING, SETTLED_BY
from notices.notice import About, Notice, about, matters, notice_of
from notices.retrying import pause_after
from notices.target import Refused, Target

AT_A_TIME: Final = 4
"""Notices to one target."""
POLL: Final = 1.0
"""Seconds until it is looked again whether anything is due."""
POLL_AWAY: Final = 5.0
"""The same where the database is away."""
POLL_UNREPAIRED: Final = 60.0
"""The same where it has no place for notices."""
GRACE: Final = 10.0
"""Seconds beyond a target's own time-out after which a claim that nobody reports on is anybody's again."""
LATE: Final = timedelta(hours=1)
"""So old a question is not told any more if it was settled, or put to others, meanwhile."""

TokenOf: TypeAlias = Callable[[UUID], str | None]
"""The token that answers the question an event asks, where there is one."""

logger = structlog.get_logger(__name__)


class Reading:
    """Makes notices of events as they stand in the log now."""

    def __init__(self, log: EventLog, token_of: TokenOf) -> None:
        self._log = log
        self._token_of = token_of

    async def about(self, id_: UUID) -> About | None:
        """An event and what belongs to it; None where it is not in the log. Raises `LogError`."""
        found = await self._log.find(id_)
        if found is None:
            return None
        stream = [each async for each in self._log.read(found.stream) if each.id == id_ or matters(each)]
        return about(stream, id_)

    def notice(self, about_: About, target: Target, kind: str, id_: str) -> Notice:
        """What a target is told."""
        token = self._token(about_.event) if target.tokens else None
        return notice_of(about_, kind, id_, content=target.content, token=token)

    def lacks_token(self, about_: About) -> bool:
        """Whether the question is answered with a token that cannot be made here: the key is missing, or another."""
        return _digest_of_token(about_.event) is not None and self._token(about_.event) is None

    def _token(self, recorded: Recorded) -> str | None:
        digest = _digest_of_token(recorded)
        token = self._token_of(recorded.id) if digest else None
        return token if token and hashlib.sha256(token.encode()).hexdigest() == digest else None


class Desk:
    """Delivers to one target."""

    def __init__(
        self,
        target: Target,
        deliveries: Deliveries,
        reading: Reading,
        letters: DeadLetters,
        *,
        strike: Callable[[str], str] = str,
        poll: float = POLL,
    ) -> None:
        self._target = target
        self._deliveries = deliveries
        self._reading = reading
        self._letters = letters
        self._strike = strike
        """Takes secrets out of what a target says."""
        self._poll = poll
        self._quiet_until = 0.0
        """By the event loop's clock: the target wants to be left alone until then."""

    async def serve(self) -> None:
        """Deliver whatever is due, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            pause = max(self._poll, self._quiet_until - loop.time())
            try:
                if loop.time() >= self._quiet_until and await self.deliver_due():
                    continue
            except LogError as error:
                logger.warning("notices_wait", target=self._target.name, problem=str(error))
                pause = POLL_UNREPAIRED if isinstance(error, LogMisconfigured) else POLL_AWAY
            except Exception:  # whatever it is, the next one may come through
                logger.exception("notices_failed", target=self._target.name)
                pause = POLL_AWAY
            await asyncio.sleep(pause)

    async def deliver_due(self) -> int:
        """Deliver what is due now, some of it; how many there were. Raises `LogError`."""
        claimed = await self._deliveries.claim(self._target.name, AT_A_TIME, self._target.timeout + GRACE)
        results = await asyncio.gather(*map(self._deliver, claimed), return_exceptions=True)
        for delivery, problem in zip(claimed, results, strict=True):
            if isinstance(problem, BaseException):  # it is due again when the claim has run out
                told = {"target": delivery.target, "notice": delivery.notice, "problem": type(problem).__name__}
                logger.warning("notice_undecided", **told)
        return len(claimed)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            about_ = await self._reading.about(delivery.event_id)
        except LogCorrupted as error:
            await self._give_up(delivery, None, f"its thread cannot be read: {error}")
            return
        if about_ is None or is_moot(about_, delivery.kind, datetime.now(UTC)):
            await self._deliveries.finish(delivery)
            return
        if delivery.attempts > self._target.attempts:
            await self._give_up(delivery, about_, "the worker died each time it was sent")
            return
        await self._tell(delivery, about_)

    async def _tell(self, delivery: Delivery, about_: About) -> None:
        notice = self._reading.notice(about_, self._target, delivery.kind, delivery.notice)
        told = {"target": delivery.target, "kind": delivery.kind, "thread": notice.thread, "notice": delivery.notice}
        if self._target.tokens and self._reading.lacks_token(about_):
            logger.warning("notice_without_token", **told, remedy="set the PERDURE_APPROVAL_KEY of then")
        try:
            answer = await self._target.tell(notice)
        except Refused as refused:
            problem = without_secrets(refused.problem, notice, self._strike)
            logger.warning("notice_refused", **told, attempt=delivery.attempts, problem=problem)
            await self._refused(delivery, about_, refused, problem)
        else:
            logger.info("notice_delivered", **told, attempt=delivery.attempts, answer=answer)
            await self._deliveries.finish(delivery)

    async def _refused(self, delivery: Delivery, about_: About, refused: Refused, problem: str) -> None:
        if refused.for_good or delivery.attempts >= self._target.attempts:
            await self._give_up(delivery, about_, problem)
            return
        pause = pause_after(delivery.attempts, refused.retry_after)
        if refused.retry_after:
            self._quiet_until = asyncio.get_running_loop().time() + pause
        await self._deliveries.postpone(delivery, pause, problem)

    async def _give_up(self, delivery: Delivery, about_: About | None, reason: str) -> None:
        await give_up(self._deliveries, self._letters, delivery, about_, reason)


async def give_up(
    deliveries: Deliveries, letters: DeadLetters, delivery: Delivery, about_: About | None, reason: str
) -> None:
    """First the letter, then the row: where the process dies in between, the same letter is written again."""
    recorded = about_.event if about_ else None
    died = dead_delivery(delivery, recorded, reason)
    await letters.add(died, recorded.metadata.at if recorded else datetime.fromtimestamp(0, UTC))
    logger.error("notice_dead", target=delivery.target, kind=delivery.kind, reason=reason)
    await deliveries.finish(delivery)


def dead_delivery(delivery: Delivery, recorded: Recorded | None, reason: str) -> DeadLettered:
    """A delivery as a dead letter."""
    return DeadLettered(
        what="delivery",
        target=delivery.target,
        kind=delivery.kind,
        stream=recorded.stream if recorded else "",
        position=recorded.position if recorded else -1,
        global_position=recorded.global_position if recorded else 0,
        event_id=delivery.event_id,
        notice=delivery.notice,
        reason=reason[:LONGEST_REASON],
        attempts=delivery.attempts,
    )


def without_secrets(problem: str, notice: Notice, strike: Callable[[str], str]) -> str:
    """What a target said, short, and fit to be kept."""
    struck = strike(problem)
    return (struck.replace(notice.token, "[token]") if notice.token else struck)[:LONGEST_REASON]


def is_moot(about_: About, kind: str, now: datetime) -> bool:
    """Whether nobody needs to be told any more: a question is settled, and this word about it comes late."""
    if kind in EXPIRING.values():
        return about_.settled or about_.asked_again
    asks, over = about_.event.event.type in SETTLED_BY, about_.settled or about_.asked_again
    return asks and over and now - about_.event.metadata.at > LATE


def _digest_of_token(recorded: Recorded) -> str | None:
    """What the event keeps of the token that its question is answered with, where there is one."""
    digest: str | None = getattr(recorded.event, "token_sha256", None)
    return digest


@asynccontextmanager
async def serving(desks: Sequence[Desk], first: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """All of these deliver, for the block's duration; something else is done once, beside them."""
    tasks = [asyncio.create_task(desk.serve()) for desk in desks]
    tasks.append(asyncio.create_task(_if_possible(first)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _if_possible(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except LogError as error:
        logger.warning("notices_wait", problem=str(error))
