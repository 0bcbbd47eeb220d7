"""Carries appends out: one by Message DB's own function, many by ours in one transaction.

Two rules. A refusal is never taken at its word: the id is looked up first, then the stream's version, for a retry
of a write that was committed looks like a conflict. And a lost connection is not an answer: the writes are made again,
with the same ids, until it is known what became of each or the tries are used up.

Of many, none fails for another's sake, and all keep their order: where the database refuses the statement, it is made
again for each half, down to the one that is refused.
"""

import time
from math import inf
from typing import TypeAlias

import structlog
from psycopg.rows import TupleRow

from eventlog.artifacts.overflow import Overflow
from eventlog.encoding import Row
from eventlog.log import EntryRejected, LogError, LogMisconfigured, LogUnavailable, Outcome, VersionConflict
from eventlog.lookup import find, version
from eventlog.queries import APPEND_BATCH, APPEND_UNDISPUTED, MAY_APPEND, WRITE
from eventlog.sqlstate import ConnectionLost, HeldUp, Refused
from eventlog.statements import Statements
from eventlog.write import Write, columns

Answer: TypeAlias = Outcome | LogError

logger = structlog.get_logger(__name__)

_A_RULE_OF_YOURS = (
    "a trigger or an index on message_store.messages that is not Message DB's refuses the row: have it let events in"
)


class Writer:
    """Writes for good: what it answers is committed."""

    def __init__(self, statements: Statements, overflow: Overflow) -> None:
        self._statements = statements
        self._overflow = overflow
        self._swift = False
        """Whether the database has the function for batches that nothing speaks against."""
        self.commit = inf
        """Seconds that the last transaction of many took besides its writing: the commit, and the way there and back.

        Infinite as long as it is not known."""

    async def may_append_batch(self) -> bool:
        """Whether the database has our function and lets us use it; to be asked before anything is written."""
        found = await self._statements.patiently(lambda: self._statements.rows(MAY_APPEND))
        self._swift = ("append_undisputed",) in found
        return ("append_batch",) in found

    async def write(self, write: Write) -> Outcome:
        """One append. Raises `LogError`."""
        return await self._statements.patiently(lambda: self._attempt(write))

    async def _attempt(self, write: Write) -> Outcome:
        if write.in_doubt and (recorded := await find(self._statements, self._overflow, write.id)):
            return write.outcome(recorded)
        try:
            [(position,)] = await self._statements.rows(WRITE, *write.parameters)
        except ConnectionLost:
            write.in_doubt = True
            raise
        except Refused as refused:
            return await self._explain(write, refused)
        return write.appended(position)

    async def _explain(self, write: Write, refused: Refused) -> Outcome:
        """Why the database refused: somebody has the id, or wrote first, or else a rule that is not Message DB's.

        Such a rule may be there for a while only: nothing is given up for it, and what is to be written waits.
        """
        if recorded := await find(self._statements, self._overflow, write.id):
            return write.outcome(recorded)
        actual = await version(self._statements, write.stream)
        if write.expected_version is not None and write.expected_version != actual:
            return VersionConflict(write.expected_version, actual)
        if refused.constraint == "messages_stream":
            raise LogUnavailable(f"somebody wrote to {write.stream} without Message DB's lock; append again")
        raise LogUnavailable(str(refused), _A_RULE_OF_YOURS) from refused

    async def write_all(self, writes: list[Write], *, patient: bool = True) -> list[Answer]:
        """Appends of one category, in order; each is answered for itself, with its outcome or its error."""
        if len(writes) < 2:
            return await self._singly(writes)
        try:
            return await self._together(writes)
        except EntryRejected:
            middle = len(writes) // 2
            first = await self.write_all(writes[:middle], patient=patient)
            return first + await self.write_all(writes[middle:], patient=patient)
        except HeldUp as held_up:
            return await self._past_the_one(writes) if patient else _all(writes, held_up)
        except LogMisconfigured as problem:
            logger.warning("log_cannot_append_batch", problem=str(problem))
            return await self._singly(writes)
        except LogUnavailable as unavailable:
            return _all(writes, unavailable)

    async def _singly(self, writes: list[Write]) -> list[Answer]:
        return [await self._answer(write) for write in writes]

    async def _answer(self, write: Write) -> Answer:
        try:
            return await self.write(write)
        except LogError as error:
            return error

    async def _together(self, writes: list[Write]) -> list[Answer]:
        """In one transaction, which looks for the ids first: after a lost connection it is simply repeated."""
        return await self._statements.patiently(lambda: self._attempt_together(writes))

    async def _attempt_together(self, writes: list[Write]) -> list[Answer]:
        given = columns(writes)
        try:
            if self._swift:
                begin = time.monotonic()
                [(positions, writing)] = await self._statements.rows(APPEND_UNDISPUTED, *given)
                if positions:
                    self.commit = time.monotonic() - begin - writing
                    return [write.appended(position) for write, position in zip(writes, positions, strict=True)]
            rows = await self._statements.rows(APPEND_BATCH, *given)
        except ConnectionLost:
            for write in writes:
                write.in_doubt = True
            raise
        return [await self._read(write, row) for write, row in zip(writes, rows, strict=True)]

    async def _read(self, write: Write, row: TupleRow) -> Answer:
        outcome, version_, *columns_ = row
        if outcome == "appended":
            return write.appended(version_)
        try:
            [found] = await self._overflow.whole([Row(*columns_)])
            return write.answer(outcome, version_, found)
        except LogError as error:  # what stands under the id cannot be read
            return error

    async def _past_the_one(self, writes: list[Write]) -> list[Answer]:
        """One by one, up to one that is held up for itself; if the rest is held up too, it is nobody's own fault."""
        answers: list[Answer] = []
        for write in writes:
            answers.append(await self._answer(write))
            if isinstance(answers[-1], HeldUp):
                break
        return answers + await self.write_all(writes[len(answers) :], patient=False)


def _all(writes: list[Write], error: LogError) -> list[Answer]:
    return [error] * len(writes)
