"""Many who append again and again: where commits are quick, half of them are written while the others come again."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from eventlog.appender import Appender, AppendTerms
from eventlog.artifacts.places import overflow_of
from eventlog.ids import new_thread_id
from eventlog.log import Appended, Outcome
from eventlog.pool import PoolTerms, open_pool
from eventlog.statements import Statements
from eventlog.streams import StreamName, stream_of
from eventlog.write import Write
from eventlog.writer import Answer, Writer
from tests.conftest import Database
from tests.contract.conftest import MakeEntry

WRITERS, EACH = 32, 40


class Noting(Writer):
    """Writes, and notes how many at a time; what a commit takes is what the test says."""

    def __init__(self, statements: Statements, commit: float) -> None:
        super().__init__(statements, overflow_of(statements, None))
        self.sizes: list[int] = []
        self._said = commit

    async def write_all(self, writes: list[Write], *, patient: bool = True) -> list[Answer]:
        """See `Writer`."""
        self.sizes.append(len(writes))
        answers = await super().write_all(writes, patient=patient)
        self.commit = self._said
        return answers


async def written(database: Database, entry: MakeEntry, commit: float) -> list[int]:
    """The sizes of the transactions in which all writers wrote their streams, each event after the one before."""
    terms = PoolTerms()
    async with open_pool(database.url, terms) as pool, Statements.on(pool, terms.pauses) as statements:
        writer = Noting(statements, commit)
        async with Appender.open(writer, AppendTerms()) as appender:
            await asyncio.gather(*(_keep_writing(appender.append, entry) for _ in range(WRITERS)))
    return writer.sizes


async def _keep_writing(append: Callable[[Write], Awaitable[Outcome]], entry: MakeEntry) -> None:
    stream: StreamName = stream_of(new_thread_id())
    for version in range(EACH):
        outcome = await append(Write(stream, entry(), version - 1))
        assert isinstance(outcome, Appended)
        assert outcome.position == version


async def test_where_commits_are_quick_they_take_turns(database: Database, entry: MakeEntry) -> None:
    """Two transactions after each other take all in between them, and now and then all go together again."""
    sizes = await written(database, entry, commit=0.0)
    assert sum(first + second == WRITERS for first, second in pairwise(sizes)) > len(sizes) / 2
    assert max(sizes[:2]) >= WRITERS - 1


@pytest.mark.parametrize("commit", [60.0, float("inf")])
async def test_where_commits_take_their_time_all_go_together(
    database: Database, entry: MakeEntry, commit: float
) -> None:
    """A second commit would cost more than is won; also where nothing is known of commits yet."""
    sizes = await written(database, entry, commit)
    assert sum(size == WRITERS for size in sizes) >= EACH - 3
