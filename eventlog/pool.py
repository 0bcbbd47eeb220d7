"""Connections to the log's database: restricted, impatient, and tested before they are handed out."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from eventlog.log import LogMisconfigured, LogUnavailable

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[TupleRow]]


@dataclass(frozen=True, slots=True)
class PoolTerms:
    """How many connections there are and how long anything may take, in seconds."""

    min_size: int = 1
    max_size: int = 10
    acquire: float = 5.0
    """Waiting for a free connection."""
    connect: float = 5.0
    statement: float = 60.0
    """One statement; writing the largest entry takes a few seconds."""
    lock: float = 10.0
    """Waiting for the other writers of the category."""
    idle_in_transaction: float = 10.0
    """A transaction that does nothing holds its whole category up; the log has none that is open for longer."""
    role: str = "message_store"
    """Whatever user the address names: Message DB lets this role read and append, and nothing else."""
    application_name: str = "perdure"
    pauses: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
    """Before each further try after a lost connection."""


@asynccontextmanager
async def open_pool(url: str, terms: PoolTerms) -> AsyncIterator[Pool]:
    """A pool for the block's duration. Tries one connection first, to say at once and plainly what is wrong."""
    conninfo = connection_info(url, terms)
    await _try(conninfo)

    async def check(connection: AsyncConnection[TupleRow]) -> None:
        if _is_quiet(connection):
            return
        try:
            await AsyncConnectionPool.check_connection(connection)
        except psycopg.Error:
            await pool.drain()  # what ended this one has ended the others too; found one by one, each costs a pause
            raise

    pool: Pool = AsyncConnectionPool(
        conninfo,
        kwargs={"autocommit": True},  # a transaction is one statement, never more
        min_size=terms.min_size,
        max_size=terms.max_size,
        timeout=terms.acquire,
        reconnect_timeout=terms.acquire,  # then whoever needs a connection next tries afresh, without a long back-off
        configure=_widen,
        check=check,
        name=terms.application_name,
        open=False,
    )
    async with pool:
        yield pool


async def _widen(connection: AsyncConnection[TupleRow]) -> None:
    """One long answer first: libpq keeps the buffer it takes, and reads long streams in a third fewer bites."""
    await connection.execute("SELECT repeat(' ', 131072)")


def _is_quiet(connection: AsyncConnection[TupleRow]) -> bool:
    """Whether the server has said nothing unasked, as it does when it ends a connection; costs no round trip."""
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return not socket.poll(0)


async def _try(conninfo: str) -> None:
    try:
        connection = await AsyncConnection.connect(conninfo)
    except psycopg.Error as error:
        raise LogUnavailable(
            f"cannot connect to the log's database: {' '.join(str(error).split())} "
            "(check the database's address, that it runs, and that Message DB, which makes the role message_store, "
            "is installed)"
        ) from error
    await connection.close()


def connection_info(url: str, terms: PoolTerms) -> str:
    """The address with everything a connection of the log must have; what the address itself says stands."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise LogMisconfigured(
            "the database's address cannot be read: write postgresql://user:password@host:port/database"
        ) from None  # libpq repeats the address, and with it the password
    options = f"{given.pop('options', '')} {_session(terms)}".strip()
    return make_conninfo(**{**_defaults(terms), **given, "options": options, "client_encoding": "UTF8"})


def _defaults(terms: PoolTerms) -> dict[str, Any]:
    return {
        "application_name": terms.application_name,
        "connect_timeout": max(2, round(terms.connect)),  # libpq takes no less than two
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": 20_000,
    }


def _session(terms: PoolTerms) -> str:
    settings = {
        "role": terms.role,
        "search_path": "message_store,public",  # Message DB's functions call each other by bare names
        "default_transaction_isolation": r"read\ committed",  # above it a conflict looks like a duplicate
        "statement_timeout": _milliseconds(terms.statement),
        "lock_timeout": _milliseconds(terms.lock),
        "idle_in_transaction_session_timeout": _milliseconds(terms.idle_in_transaction),
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
