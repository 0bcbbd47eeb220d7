"""A log in a database of its own, questions in it, and an office that tells of them."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from eventlog.consumer import Follower
from eventlog.events import AnyEvent, ApprovalRequested
from eventlog.ids import new_thread_id
from eventlog.log import Entry, Recorded
from eventlog.metadata import Metadata
from eventlog.postgres import PostgresEventLog
from eventlog.streams import StreamName, stream_of
from notices.desk import Desk
from notices.endpoints import Endpoint
from notices.notifier import Notifier
from notices.office import Addressees, Office
from notices.post import Poster
from notices.postgres import PostgresDeliveries
from notices.target import Target
from notices.webhook import Webhook
from tests.conftest import Database
from tools.secrets import VARIABLE, Vault

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg5"
NEWER = "whsec_" + "bmV3ZXItc2VjcmV0LW9mLXRoZS10ZXN0cy0wMTIz"
VARIABLES = {f"{VARIABLE}HOOK": SECRET, f"{VARIABLE}HOOK_NEW": NEWER}
TOKEN = "token-of-the-question-0123456789"


@pytest.fixture
async def log(database: Database) -> AsyncIterator[PostgresEventLog]:
    """The log."""
    async with PostgresEventLog.connect(database.url) as log:
        yield log


def asked(
    call: str = "toolu_1", *, expires_in: timedelta = timedelta(days=7), token: bool = False, **said: object
) -> ApprovalRequested:
    """A question."""
    shape = {
        "call_id": call,
        "tool_name": "write_file",
        "arguments": {"path": "notes.md", "content": "buy milk"},
        "digest": "d" * 64,
        "question": "write_file notes.md (8 characters)",
        "reason": "it writes",
        "risk": "medium",
        "expires_at": datetime.now(UTC) + expires_in,
        **({"token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest()} if token else {}),
        **said,
    }
    return ApprovalRequested.model_validate(shape)


@dataclass
class Scribe:
    """Writes into one thread's stream."""

    log: PostgresEventLog
    stream: StreamName = field(default_factory=lambda: stream_of(new_thread_id()))
    tenant: str = "acme"

    async def write(self, event: AnyEvent, ago: timedelta = timedelta(0)) -> Recorded:
        """The event, as it stands in the log."""
        metadata = Metadata(at=datetime.now(UTC) - ago, tenant=self.tenant, principal="ana")
        entry = Entry(uuid4(), event, metadata)
        await self.log.append(self.stream, entry)
        recorded = await self.log.find(entry.id)
        assert recorded is not None
        return recorded


@pytest.fixture
def scribe(log: PostgresEventLog) -> Scribe:
    """A thread to write into."""
    return Scribe(log)


@dataclass
class Postman:
    """An office, one step at a time."""

    office: Office
    log: PostgresEventLog

    @property
    def desks(self) -> dict[str, Desk]:
        """By target."""
        return dict(zip(self.office.addressees.targets, self.office.desks, strict=True))

    async def read(self) -> None:
        """Make deliveries of everything new in the log."""
        for consumer in self.office.consumers:
            assert await Follower(self.log.feed, consumer, self.office.letters.set_aside).catch_up()

    async def deliver(self, *targets: str) -> int:
        """Deliver what is due now; how many there were."""
        return sum([await self.desks[name].deliver_due() for name in targets or self.desks])

    async def go(self) -> int:
        """Both."""
        await self.read()
        return await self.deliver()

    async def hurry(self, *, reminders: bool = False) -> None:
        """All that waits is due now; reminders, too, where they are wanted."""
        wanted = "%" if reminders else "%ed"
        query = "UPDATE perdure.deliveries SET due = now() - interval '1 s' WHERE kind LIKE %s RETURNING 1"
        await self.log.statements.rows(query, wanted)


MakePostman = Callable[..., Postman]


@pytest.fixture
async def hire(log: PostgresEventLog) -> AsyncIterator[MakePostman]:
    """Makes offices that tell these endpoints and notifiers."""
    async with AsyncExitStack() as exits:

        def make(
            *endpoints: Endpoint,
            notifiers: Sequence[Notifier] = (),
            remind: timedelta = timedelta(hours=1),
            token_of: Callable[[UUID], str | None] = lambda _: TOKEN,
        ) -> Postman:
            vault = Vault(environment=VARIABLES)
            webhooks = []
            for endpoint in endpoints:
                poster = Poster()
                exits.push_async_callback(poster.close)
                webhooks.append(Webhook(endpoint, vault, poster))
            addressees = Addressees(tuple(webhooks), tuple(notifiers), remind)
            office = Office.of(addressees, log, PostgresDeliveries(log.statements), token_of, vault.strike_text)
            return Postman(office, log)

        yield make


def endpoint(url: str, name: str = "hook", **said: object) -> Endpoint:
    """An endpoint at this address."""
    return Endpoint.model_validate({"name": name, "url": url, "secrets": ["HOOK"], **said})


def target_of(postman: Postman, name: str = "hook") -> Target:
    """One of those that are told."""
    return postman.office.addressees.targets[name]
