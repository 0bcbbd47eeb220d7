"""What is written although the log did not say so."""

from dataclasses import dataclass, field, replace

from temporalio.testing import ActivityEnvironment

from activities.journal import Author, Intent, Journal
from activities.steps import InThread
from activities.views import Views
from eventlog.events import SessionPaused
from eventlog.log import Entry, LogUnavailable, Outcome
from eventlog.memory import MemoryEventLog
from eventlog.streams import StreamName

STEP = InThread(started_ms=1)
EVENT = SessionPaused(by="ana")


@dataclass(slots=True)
class Unanswering(MemoryEventLog):
    """A log that writes, and goes away before it answers for the first time."""

    went_away: bool = field(default=False, init=False)

    async def append(self, stream: StreamName, entry: Entry, expected_version: int | None = None) -> Outcome:
        """Append, and say so only from the second time on."""
        outcome = await MemoryEventLog.append(self, stream, entry, expected_version)
        if not self.went_away:
            self.went_away = True
            raise LogUnavailable("gone")
        return outcome


async def intend(log: MemoryEventLog, attempt: int) -> Intent:
    """Declare an intention in this attempt."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt)
    intent: Intent = await environment.run(Journal(log, Views(log)).intend, STEP, "key", EVENT, Author())
    return intent


async def test_an_intention_is_fresh_though_the_log_went_away_before_it_answered() -> None:
    """What this attempt wrote itself nobody can have acted on; what another one wrote somebody may have."""
    log = Unanswering()
    assert (await intend(log, 1)).fresh
    assert not (await intend(log, 2)).fresh
