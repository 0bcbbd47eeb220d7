"""Message DB, installed from its own SQL in its own order, and never rewritten; and our functions beside it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import structlog
from psycopg import sql

from eventlog.sql import FUNCTIONS, VERSION
from stack.errors import MessageDbUnusable
from stack.npm import NpmPackage

PACKAGE = NpmPackage(
    "@eventide/message-db",
    "1.3.1",
    "sha512-n3hdE5YAZNXTr2HK9gG0GJ6dusgdE544LTvS+21/yOEHBvNuUzNmXXw5vS05vpe6RSuhzTRy5Wg0q7c1VfJg+A==",
)
"""Its database part calls itself 1.3.0."""
ROLE = "message_store"
PGCRYPTO = "extensions/pgcrypto.sql"
"""The step that PostgreSQL has not needed since version 13, which brought `gen_random_uuid` itself."""
INSTALL_LOCK = (0x50455244, 1)
"""Two ints: Message DB's own advisory locks use the other key space."""

logger = structlog.get_logger()

_STEP = re.compile(r"\$base/(\S+\.(?:sql|sh))")


def steps(files: Mapping[str, str], script: str = "install.sh") -> Iterator[str]:
    """The SQL files that the package's installer runs, in its order."""
    for step in _STEP.findall(files[f"database/{script}"]):
        if step.endswith(".sh"):
            yield from steps(files, step)
        elif step != PGCRYPTO:
            yield step


async def installed_version(url: str) -> str | None:
    """The version of the Message DB that a database has; None if it has none. Raises `MessageDbUnusable`."""
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=5) as connection:
            return await _version(connection)
    except psycopg.Error as error:
        raise _silent(error) from error


async def read_only(url: str) -> str | None:
    """Why a database that answers takes nothing new; None if it does not say so. Raises `MessageDbUnusable`."""
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=5) as connection:
            rows = await connection.execute("select pg_is_in_recovery(), current_setting('transaction_read_only')")
            standby, setting = await rows.fetchone() or (False, "off")
    except psycopg.Error as error:
        raise _silent(error) from error
    if standby:
        return "is a standby, which can only be read"
    return "is read-only" if setting == "on" else None


def _silent(error: psycopg.Error) -> MessageDbUnusable:
    return MessageDbUnusable(
        f"The database cannot be asked for its Message DB: {_why(error)}.",
        "Check DATABASE_URL, and that PostgreSQL runs and lets this role in.",
    )


def _why(error: psycopg.Error) -> str:
    """What went wrong; a connection string that cannot be read is not repeated, for it may hold a password."""
    if error.sqlstate or isinstance(error, psycopg.OperationalError):
        return str(error).strip()
    return "its connection string cannot be read"


async def _version(connection: psycopg.AsyncConnection) -> str | None:
    there = await connection.execute("select to_regprocedure('message_store.message_store_version()') is not null")
    if await there.fetchone() != (True,):
        return None
    row = await (await connection.execute("select message_store.message_store_version()")).fetchone()
    return str(row[0]) if row else None


async def functions_version(connection: psycopg.AsyncConnection) -> int:
    """The version of our functions that a database has; 0 if it has none."""
    there = await connection.execute(
        "select proname from pg_proc where pronamespace = to_regnamespace('perdure') and proname = 'version'"
    )
    if await there.fetchone() is None:
        return 0
    row = await (await connection.execute("select perdure.version()")).fetchone()
    return int(row[0]) if row else 0


async def install(admin_url: str, cache: Path, password: str | None = None) -> str:
    """Give a database its Message DB, if it has none, our functions, and the role its password, if one is given.

    All or nothing, and once, also when several try at the same moment. Returns the installed version.
    """
    try:
        async with await psycopg.AsyncConnection.connect(admin_url, connect_timeout=5) as connection:
            await connection.execute("select pg_advisory_xact_lock(%s, %s)", INSTALL_LOCK)
            if await _version(connection) is None:
                await _run_steps(connection, await PACKAGE.files(cache))
            await _bring_functions(connection)
            if password:
                await _set_password(connection, password)
            return str(await _version(connection))
    except psycopg.Error as error:
        raise MessageDbUnusable(
            f"Message DB cannot be installed: {_why(error)}.",
            "Its installer needs a role that may create roles and schemas; give that role's connection string.",
        ) from error


async def _run_steps(connection: psycopg.AsyncConnection, files: Mapping[str, str]) -> None:
    await connection.execute("set local client_min_messages to warning")
    for step in steps(files):
        await connection.execute(files[f"database/{step}"].encode())


async def _bring_functions(connection: psycopg.AsyncConnection) -> None:
    """Install ours or replace older ones; newer ones stay. Who may not must do without: the log then is slower."""
    if await functions_version(connection) >= VERSION:
        return
    version = f"create or replace function perdure.version() returns int language sql immutable as 'select {VERSION:d}'"
    try:
        async with connection.transaction():
            await connection.execute(FUNCTIONS.encode())
            await connection.execute(version.encode())
    except psycopg.errors.InsufficientPrivilege as error:
        logger.warning("log_functions_not_installed", problem=_why(error))


async def _set_password(connection: psycopg.AsyncConnection, password: str) -> None:
    statement = sql.SQL("alter role {} with login password {}")
    await connection.execute(statement.format(sql.Identifier(ROLE), sql.Literal(password)))


async def create_database(admin_url: str, name: str, template: str = "template1") -> None:
    """Make an empty database, or a copy of another one, unless there is one of that name."""
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True, connect_timeout=5) as connection:
        statement = sql.SQL("create database {} template {}")
        try:
            await connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        except psycopg.errors.DuplicateDatabase:
            return
