"""The ledger in the log's database: kept by a consumer of the log, made again at will, and asked."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, LiteralString

from eventlog.consumer import Consumer
from eventlog.escaping import from_json, to_json
from eventlog.feed import Feed, Lag, Statement
from eventlog.log import Recorded
from eventlog.streams import AGENT
from ledger.entries import USED, Entry, Thread, enter, thread_of

NAME: Final = "ledger"
"""What the consumer's place is kept under."""

THREADS: Final[LiteralString] = """
SELECT thread, tenant, principal, asked, begun::text FROM perdure.ledger_threads WHERE thread = ANY(%s::text[])
"""

KEEP_THREADS: Final[LiteralString] = """
INSERT INTO perdure.ledger_threads
SELECT * FROM jsonb_to_recordset(%s::jsonb) AS (thread text, tenant text, principal text, asked text, begun jsonb)
    ON CONFLICT (thread) DO UPDATE
   SET tenant = excluded.tenant, principal = excluded.principal, asked = excluded.asked, begun = excluded.begun
"""

ENTER: Final[LiteralString] = """
INSERT INTO perdure.ledger
SELECT * FROM jsonb_to_recordset(%s::jsonb) AS (
  global_position bigint, at timestamptz, day date, thread text, tenant text, principal text, model text, tool text,
  calls int, failures int, unknown int, input_tokens bigint, output_tokens bigint, cache_read_tokens bigint,
  cache_write_tokens bigint, cost_usd numeric, duration_ms bigint)
    ON CONFLICT (global_position) DO NOTHING
"""
"""An entry that is there stays: an event that was set aside may be dealt with a second time."""

FORGET: Final = (Statement("DELETE FROM perdure.ledger"), Statement("DELETE FROM perdure.ledger_threads"))


class Book:
    """The ledger of one log."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    @property
    def consumer(self) -> Consumer:
        """What keeps it: entries and place move together, so that each event is entered once."""
        return Consumer(NAME, self.handle, types=USED)

    async def handle(self, events: Sequence[Recorded]) -> Sequence[Statement]:
        """What is to be written of these events."""
        threads = await self._threads({thread_of(event) for event in events})
        entries, known = enter(events, threads)
        changed = {name: thread for name, thread in known.items() if threads.get(name) != thread}
        kept = [_thread_row(*each) for each in changed.items()]
        entered = [_entry_row(entry) for entry in entries]
        return [
            *([Statement(KEEP_THREADS, (to_json(kept),))] if kept else ()),
            *([Statement(ENTER, (to_json(entered),))] if entered else ()),
        ]

    async def _threads(self, names: Iterable[str]) -> Mapping[str, Thread]:
        found = await self._feed.ask(Statement(THREADS, (sorted(names),)))
        return {
            name: Thread(tenant, principal, asked, _costs(begun)) for name, tenant, principal, asked, begun in found
        }

    async def lag(self) -> Lag:
        """How far it is behind the log."""
        return await self._feed.lag(NAME, AGENT)

    async def begin_again(self) -> None:
        """Empty it, so that it is made from the log's first event on."""
        await self._feed.rewind(NAME, FORGET)


def _costs(begun: str) -> Mapping[str, Decimal]:
    return {call: Decimal(cost) for call, cost in from_json(begun).items()}


def _thread_row(name: str, thread: Thread) -> dict[str, object]:
    return {
        "thread": name,
        "tenant": thread.tenant,
        "principal": thread.principal,
        "asked": thread.asked,
        "begun": {call: str(cost) for call, cost in thread.begun.items()},
    }


def _entry_row(entry: Entry) -> dict[str, object]:
    return {
        "global_position": entry.global_position,
        "at": entry.at.isoformat(),
        "day": entry.day.isoformat(),
        "thread": entry.thread,
        "tenant": entry.tenant,
        "principal": entry.principal,
        "model": entry.model,
        "tool": entry.tool,
        "calls": entry.calls,
        "failures": entry.failures,
        "unknown": entry.unknown,
        **entry.tokens.model_dump(),
        "cost_usd": None if entry.cost is None else str(entry.cost),
        "duration_ms": entry.duration_ms,
    }
