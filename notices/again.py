"""Dead letters, tried again while somebody waits for what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from eventlog.consumer import Consumer
from eventlog.dead_letters import DeadLetter, DeadLetterDiscarded, DeadLetterRetried
from eventlog.encoding import decode
from eventlog.feed import Feed
from eventlog.log import LogCorrupted
from notices.desk import is_moot, without_secrets
from notices.office import Office
from notices.target import Refused


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one more try."""

    letter: DeadLetter
    delivered: bool
    told: str
    """What the target answered, or why it did not take it."""


@dataclass(frozen=True, slots=True)
class Again:
    """Tries dead letters again."""

    office: Office
    feed: Feed
    consumers: Mapping[str, Consumer]
    """By name: those whose events can be set aside."""

    async def retry(self, letter: DeadLetter, by: str) -> Tried:
        """Try once more, and note what came of it. Raises `LogUnavailable` and `AlreadyDecided`."""
        try:
            told = await (self._deliver(letter) if letter.died.what == "delivery" else self._deal_with(letter))
            tried = Tried(letter, delivered=True, told=told)
        except Refused as refused:
            tried = Tried(letter, delivered=False, told=refused.problem)
        said = DeadLetterRetried(by=by, delivered=tried.delivered, reason="" if tried.delivered else tried.told)
        await self.office.letters.retried(letter, said)
        return tried

    async def discard(self, letter: DeadLetter, by: str, reason: str) -> None:
        """Give it up. Raises `LogUnavailable` and `AlreadyDecided`."""
        await self.office.letters.discard(letter, DeadLetterDiscarded(by=by, reason=reason))

    async def _deliver(self, letter: DeadLetter) -> str:
        died, targets = letter.died, self.office.addressees.targets
        target = targets.get(died.target)
        if target is None:
            raise Refused(f"nobody here is called {died.target!r}: there are {', '.join(targets) or 'none'}")
        try:
            about = await self.office.reading.about(died.event_id)
        except LogCorrupted as error:
            raise Refused(f"its thread cannot be read: {error}") from error
        if about is None:
            raise Refused("the event it is about is not in this log")
        if is_moot(about, died.kind, datetime.now(UTC)):
            return "not sent: the question is settled, and nobody need be told any more"
        if target.tokens and self.office.reading.lacks_token(about):
            raise Refused("the question is answered with a token: set PERDURE_APPROVAL_KEY here as the workers have it")
        notice = self.office.reading.notice(about, target, died.kind, died.notice or str(died.event_id))
        try:
            return await target.tell(notice)
        except Refused as refused:
            raise Refused(without_secrets(refused.problem, notice, self.office.strike)) from refused

    async def _deal_with(self, letter: DeadLetter) -> str:
        died = letter.died
        consumer = self.consumers.get(died.target)
        if consumer is None:
            raise Refused(
                f"no consumer here is called {died.target!r}: there are {', '.join(self.consumers) or 'none'}"
            )
        rows = list(await self.feed.rows(consumer.category, died.global_position, 1))
        if not rows or rows[0].global_position != died.global_position:
            raise Refused("the event it is about is not in this log")
        try:
            events = [decode(row) for row in await self.feed.whole(rows)]
            await self.feed.write(await consumer.handle(events))
        except LogCorrupted as error:
            raise Refused(f"it is no event: {error}") from error
        except Exception as error:  # whatever a consumer may raise
            raise Refused(f"{type(error).__name__}: {error}"[:500]) from error
        return "dealt with"
