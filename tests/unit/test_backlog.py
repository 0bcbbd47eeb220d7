"""Whoever finds the backlog full waits his turn."""

import asyncio

import pytest

from eventlog.backlog import Backlog


async def enter(backlog: Backlog, *sizes: int) -> "list[asyncio.Task[None]]":
    """Those who come, one after the other, as far as they come."""
    tasks = [asyncio.create_task(backlog.enter(size)) for size in sizes]
    await asyncio.sleep(0)
    return tasks


def inside(tasks: "list[asyncio.Task[None]]") -> list[bool]:
    """Who has been let in."""
    return [task.done() and not task.cancelled() for task in tasks]


async def pause() -> None:
    """Until everybody who can move has moved."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_as_many_as_there_is_room_for_come_in() -> None:
    """By count or by size, whichever is reached first; who leaves makes room for the next."""
    backlog = Backlog(entries=3, size=10)
    tasks = await enter(backlog, 4, 4, 4, 1, 1)
    assert inside(tasks) == [True, True, False, False, False]
    backlog.leave(4)
    await pause()
    assert inside(tasks) == [True, True, True, True, False]
    backlog.leave(4)
    await pause()
    assert inside(tasks) == [True, True, True, True, True]


async def test_nobody_overtakes() -> None:
    """A small one waits behind a large one, and a newcomer behind one who is just coming in."""
    backlog = Backlog(entries=9, size=10)
    order: list[int] = []

    async def come(size: int) -> None:
        await backlog.enter(size)
        order.append(size)

    tasks = [asyncio.create_task(come(size)) for size in (9, 8, 1)]
    await asyncio.sleep(0)
    assert order == [9]
    backlog.leave(9)
    tasks.append(asyncio.create_task(come(0)))
    await asyncio.gather(*tasks)
    assert order == [9, 8, 1, 0]


async def test_one_that_is_larger_than_all_room_comes_in_alone() -> None:
    """It waits until everybody has left, and everybody else until it has."""
    backlog = Backlog(entries=3, size=10)
    tasks = await enter(backlog, 1, 50, 1)
    assert inside(tasks) == [True, False, False]
    backlog.leave(1)
    await pause()
    assert inside(tasks) == [True, True, False]
    backlog.leave(50)
    await asyncio.gather(*tasks)


async def test_who_is_cancelled_takes_no_room() -> None:
    """Neither waiting nor in the very moment of being let in; those behind move up."""
    backlog = Backlog(entries=1, size=10)
    tasks = await enter(backlog, 1, 2, 3, 4)
    tasks[1].cancel()
    await pause()
    backlog.leave(1)
    tasks[2].cancel()
    await pause()
    assert inside(tasks) == [True, False, False, True]
    backlog.leave(4)
    await asyncio.wait_for(backlog.emptied(5), 5)
    assert (backlog._inside, backlog._taken, backlog._coming) == (0, 0, 0)


async def test_who_is_turned_away_is_told_why() -> None:
    """Those inside stay, and can still leave."""
    backlog = Backlog(entries=1, size=10)
    tasks = await enter(backlog, 1, 2)
    backlog.turn_away(ValueError("closed"))
    with pytest.raises(ValueError, match="closed"):
        await tasks[1]
    backlog.leave(1)
    await backlog.emptied(0)
    assert (backlog._inside, backlog._taken, backlog._coming) == (0, 0, 0)
