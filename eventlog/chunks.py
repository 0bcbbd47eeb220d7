"""A long read, some events at a time: while these are decoded and folded, the database prepares the next page."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing

from eventlog.encoding import Row, decode
from eventlog.log import PAGE, LogCorrupted, Recorded

FIRST = 100
"""Events fetched first. Each page is twice the one before, up to `PAGE`: so nobody waits long for the first event,
and decoding a page takes as long as the database needs for the next."""
CHUNK = 50
"""Events decoded at a time: half a millisecond, and few enough that Python's garbage collector finds no work."""

Fetch = Callable[[int, int], Awaitable[Sequence[Row]]]
"""At most so many rows from a place on."""
Place = Callable[[Row], int]
"""Where in what is read a row stands."""


async def fetched(fetch: Fetch, place: Place, start: int, end: int | None) -> AsyncGenerator[list[Recorded]]:
    """Everything from `start` up to and including `end`; at most two pages are held at any time."""
    size = FIRST
    ahead = _ask(fetch, start, end, size)
    try:
        while ahead is not None:
            rows = await ahead
            full, size = len(rows) == size, min(2 * size, PAGE)
            ahead = _ask(fetch, place(rows[-1]) + 1, end, size) if full else None
            await asyncio.sleep(0)  # sends what was asked
            for chunk in decoded([row for row in rows if end is None or place(row) <= end]):
                yield chunk
                await asyncio.sleep(0)  # takes in what has come meanwhile, and gives others their turn
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)


def _ask(fetch: Fetch, start: int, end: int | None, size: int) -> "asyncio.Task[Sequence[Row]] | None":
    if end is not None and start > end:
        return None
    most = size if end is None else min(size, end - start + 1)

    async def ask() -> Sequence[Row]:
        return await fetch(start, most)

    return asyncio.create_task(ask())


def decoded(rows: Sequence[Row]) -> Iterator[list[Recorded]]:
    """The events in these rows. Raises `LogCorrupted`, but not before it has given what stands before."""
    for at in range(0, len(rows), CHUNK):
        chunk: list[Recorded] = []
        try:
            for row in rows[at : at + CHUNK]:
                chunk.append(decode(row))  # noqa: PERF401 - a comprehension would lose them
        except LogCorrupted:
            if chunk:
                yield chunk
            raise
        yield chunk


async def one_by_one(chunks: AsyncGenerator[list[Recorded]]) -> AsyncGenerator[Recorded]:
    """The events of the chunks."""
    async with aclosing(chunks):
        async for chunk in chunks:
            for recorded in chunk:
                yield recorded
