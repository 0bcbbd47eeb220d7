"""A database that answers and does not do what it should: it takes nothing new, or keeps no connection."""

import asyncio
import random
import time
from typing import LiteralString

from psycopg import AsyncConnection

from stack.postgres import WRITER

REFUSE: LiteralString = """
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_SCHEMA = 'perdure' OR random() < 0.5 THEN
        RAISE EXCEPTION 'nothing new is taken' USING ERRCODE = '53100';
    END IF;
    RAISE EXCEPTION 'nothing new is taken';
END $$;
DO $$
DECLARE name regclass;
BEGIN
    FOR name IN SELECT oid FROM pg_class
                 WHERE relkind = 'r' AND relnamespace IN ('message_store'::regnamespace, 'perdure'::regnamespace)
    LOOP
        EXECUTE format(
            'CREATE TRIGGER refuse BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION public.refuse()', name);
    END LOOP;
END $$
"""
"""Where events are kept, the disk is full, or a rule that nobody knows of refuses them; elsewhere the disk is full."""
TAKE_AGAIN: LiteralString = "DROP FUNCTION public.refuse CASCADE"
CROWDED: LiteralString = "ALTER DATABASE message_store CONNECTION LIMIT 0"
ROOMY: LiteralString = "ALTER DATABASE message_store CONNECTION LIMIT -1"
HANG_UP: LiteralString = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
LONGEST_PEACE = 0.2
"""Seconds between two hang-ups."""


async def refuse(url: str) -> None:
    """From now on every row is refused."""
    await _execute(url, REFUSE)


async def take_again(url: str) -> None:
    """Rows are taken."""
    await _execute(url, TAKE_AGAIN)


async def crowd(url: str) -> None:
    """From now on nobody but the superuser is connected, or can connect."""
    await _execute(url, CROWDED)
    await hang_up(url)


async def make_room(url: str, seconds: float) -> None:
    """All may connect, but for so many seconds nobody is left in peace."""
    await _execute(url, ROOMY)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await hang_up(url)
        await asyncio.sleep(random.uniform(0, LONGEST_PEACE))


async def hang_up(url: str) -> None:
    """End every connection that is not the superuser's."""
    await _execute(url, HANG_UP, WRITER)


async def _execute(url: str, statement: LiteralString, *parameters: object) -> None:
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(statement, parameters or None)
