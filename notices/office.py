"""Everything that tells people, put together: who is told, what waits for them, and what could not be delivered."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from eventlog.consumer import Consumer
from eventlog.dead_letters import DeadLetters
from eventlog.log import EventLog, LogCorrupted
from notices.deliveries import Deliveries, Delivery
from notices.desk import Desk, Reading, TokenOf, give_up
from notices.endpoints import WebhooksFile, read_webhooks
from notices.notice import About
from notices.notifier import Notifier
from notices.outbox import Outbox
from notices.post import Poster
from notices.target import Target
from notices.webhook import Webhook
from tools.secrets import Vault

ORPHANED: Final = timedelta(days=1)
"""After so long nobody is believed to serve a target any more."""
_ORPHANED: Final = "no worker knows this target any more"


@dataclass(frozen=True, slots=True)
class Addressees:
    """Who is told, and how long before a question expires they are told again."""

    webhooks: tuple[Webhook, ...] = ()
    notifiers: tuple[Notifier, ...] = ()
    remind: timedelta = timedelta(hours=1)

    @property
    def targets(self) -> Mapping[str, Target]:
        """All of them, by name."""
        all_: tuple[Target, ...] = (*self.webhooks, *self.notifiers)
        return {target.name: target for target in all_}


@asynccontextmanager
async def open_addressees(file: Path | None, notifiers: Sequence[Notifier], vault: Vault) -> AsyncIterator[Addressees]:
    """The endpoints in the file, with connections for the block's duration, and these notifiers.

    Raises `policy.mistakes.InvalidFile`.
    """
    said = read_webhooks(file) if file is not None else WebhooksFile()
    async with AsyncExitStack() as exits:
        webhooks = []
        for endpoint in said.endpoints:
            poster = Poster()
            exits.push_async_callback(poster.close)
            webhooks.append(Webhook(endpoint, vault, poster))
        yield Addressees(tuple(webhooks), tuple(notifiers), timedelta(seconds=said.remind))


@dataclass(frozen=True, slots=True)
class Office:
    """Where notices are made and sent."""

    addressees: Addressees
    deliveries: Deliveries
    reading: Reading
    letters: DeadLetters
    strike: Callable[[str], str]

    @classmethod
    def of(
        cls,
        addressees: Addressees,
        log: EventLog,
        deliveries: Deliveries,
        token_of: TokenOf,
        strike: Callable[[str], str],
    ) -> "Office":
        """An office for these addressees and this log."""
        return cls(addressees, deliveries, Reading(log, token_of), DeadLetters(log), strike)

    @property
    def consumers(self) -> Sequence[Consumer]:
        """What follows the log for it."""
        targets = tuple(self.addressees.targets.values())
        return Outbox(self.deliveries, targets, self.addressees.remind).consumers

    @property
    def desks(self) -> Sequence[Desk]:
        """One for each addressee."""
        return [
            Desk(target, self.deliveries, self.reading, self.letters, strike=self.strike)
            for target in self.addressees.targets.values()
        ]

    async def bury_orphans(self) -> None:
        """Give up what is to go to targets that nobody has served for a day: they are in no worker's settings any more.

        Raises `LogError`.
        """
        while orphans := await self.deliveries.orphans(tuple(self.addressees.targets), ORPHANED.total_seconds()):
            for delivery in orphans:
                await give_up(self.deliveries, self.letters, delivery, await self._about(delivery), _ORPHANED)

    async def _about(self, delivery: Delivery) -> About | None:
        try:
            return await self.reading.about(delivery.event_id)
        except LogCorrupted:
            return None
