"""Real servers for the tests: one PostgreSQL with Message DB and one Temporal, stopped at the end."""

import itertools
import signal
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from temporalio.testing import WorkflowEnvironment

from stack.home import cache_folder
from stack.messagedb import create_database, install
from stack.ports import free_port
from stack.postgres import ADMIN, WRITER, EmbeddedPostgres
from stack.temporal import TemporalServer, create_search_attributes

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Who runs the tests in the background of a shell ignores Ctrl-C, and so would every program that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends the tests ends their servers too

TEMPLATE = "message_store_template"
UNSAFE_BUT_FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "200", "shared_buffers": "64MB"}


@dataclass(frozen=True)
class Database:
    """A database with Message DB that only one test uses."""

    url: str
    """Connects as the restricted role."""
    admin_url: str
    """Connects as the superuser."""


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """A folder for the servers' data.

    Not one of pytest's: those are closed to other users again by the next session, and PostgreSQL may run as one.
    """
    with tempfile.TemporaryDirectory(prefix="perdure-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
async def postgres_server(servers_folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL server with a template database that has Message DB."""
    folder = servers_folder / "postgres"
    server = EmbeddedPostgres(
        folder, port=free_port(), record=folder / "pid", log=folder / "log", options=UNSAFE_BUT_FAST
    )
    try:
        await server.start()
        await create_database(server.admin_url, TEMPLATE)
        await install(server.url(ADMIN, TEMPLATE), cache_folder(), server.writer_password)
        yield server
    finally:
        await server.stop()


@pytest.fixture(scope="session")
def database_names() -> "itertools.count[int]":
    """Numbers that no test has used."""
    return itertools.count(1)


@pytest.fixture
async def database(
    postgres_server: EmbeddedPostgres, database_names: "itertools.count[int]"
) -> AsyncIterator[Database]:
    """A fresh database with Message DB."""
    name = f"test_{next(database_names)}"
    await create_database(postgres_server.admin_url, name, TEMPLATE)
    yield Database(postgres_server.url(WRITER, name), postgres_server.url(ADMIN, name))
    async with await psycopg.AsyncConnection.connect(postgres_server.admin_url, autocommit=True) as connection:
        await connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
async def temporal_server(servers_folder: Path) -> AsyncIterator[str]:
    """The address of a Temporal server that forgets everything at the end."""
    folder = servers_folder / "temporal"
    server = TemporalServer(None, port=free_port(), ui_port=None, record=folder / "pid", log=folder / "log")
    try:
        await server.start()
        yield server.address
    finally:
        await server.stop()


@pytest.fixture(scope="session")
async def time_skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server that skips the time in which every workflow waits, with the search attributes."""
    program = Path(sysconfig.get_path("scripts"), "temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(program)) as environment:
        await create_search_attributes(environment.client)
        yield environment
