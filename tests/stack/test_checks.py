"""What `perdure doctor` sees."""

import asyncio
import os
import shlex
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from temporalio.client import Client

from stack.addresses import Options
from stack.checks import Check, checks
from stack.command import run
from stack.ports import LOOPBACK, free_port
from stack.postgres import ADMIN, EmbeddedPostgres
from stack.process import ServerProcess
from stack.stack import up
from stack.temporal import binary, missing_search_attributes
from tests.bucket import bucket_server
from tests.conftest import Database


def failing(found: list[Check]) -> dict[str, Check]:
    """Those that are not well, by name."""
    return {check.name: check for check in found if not check.ok}


async def test_all_is_well_with_a_system_that_runs(whole: Options) -> None:
    """Every part of a running system passes."""
    await up(whole)
    assert failing(await checks(whole)) == {}


async def test_what_does_not_run_is_told_how_to_start(whole: Options) -> None:
    """A system that is down fails with the command that starts it."""
    found = failing(await checks(whole))
    assert set(found) == {"database", "temporal"}
    assert all("perdure up" in check.remedy for check in found.values())


async def test_parts_from_outside_are_looked_at(
    whole: Options, postgres_server: EmbeddedPostgres, temporal_server: str
) -> None:
    """A foreign database without Message DB fails, a foreign Temporal with the attributes passes."""
    outside = {"temporal_address": temporal_server, "database_url": postgres_server.url(ADMIN, "template1")}
    found = failing(await checks(whole.model_copy(update=outside)))
    assert set(found) == {"database"}
    assert "no Message DB" in found["database"].detail


async def test_parts_that_do_not_answer_fail(whole: Options) -> None:
    """Addresses where nobody listens are named with the setting to check."""
    outside = {"temporal_address": "127.0.0.1:1", "database_url": "postgresql://127.0.0.1:1/x"}
    found = failing(await checks(whole.model_copy(update=outside)))
    assert "TEMPORAL_ADDRESS" in found["temporal"].remedy
    assert "DATABASE_URL" in found["database"].remedy


async def test_the_bucket_is_tried(whole: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that can be written and read passes; one that is away fails, with the settings to check."""
    async with bucket_server(tmp_path / "s3") as bucket:
        for name, value in bucket.variables.items():
            monkeypatch.setenv(name, value)
        with_bucket = whole.model_copy(update={"artifacts": bucket.url})
        assert "artifacts" not in failing(await checks(with_bucket))
        assert len([each for each in bucket.folder.rglob("*") if each.is_file()]) == 1
        await bucket.stop()
        assert "AWS_ENDPOINT_URL" in failing(await checks(with_bucket))["artifacts"].detail


async def test_the_table_of_artifacts_is_tried(whole: Options, database: Database) -> None:
    """It is said where large content is kept, also where the database has no place for it."""
    outside = whole.model_copy(update={"database_url": database.url})
    for statement, said in [("select", "perdure.artifacts can be written"), ("drop schema perdure cascade", "whole")]:
        async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
            await connection.execute(statement.encode())
        [found] = [check for check in await checks(outside) if check.name == "artifacts"]
        assert found.ok
        assert said in found.detail


async def test_a_database_that_can_only_be_read_fails(whole: Options, database: Database) -> None:
    """It answers and has all it needs, and yet no thread could go on: that is said, with what to do."""
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        await connection.execute(
            sql.SQL("alter database {} set default_transaction_read_only = on").format(
                sql.Identifier(connection.info.dbname)
            )
        )
    found = failing(await checks(whole.model_copy(update={"database_url": database.url})))["database"]
    assert "is read-only: nothing can be recorded" in found.detail
    assert "DATABASE_URL" in found.remedy


async def test_a_home_that_cannot_be_written_fails(whole: Options, tmp_path: Path) -> None:
    """The folder is named with the setting that changes it."""
    (tmp_path / "file").touch()
    found = failing(await checks(whole.model_copy(update={"home": tmp_path / "file" / "home"})))
    assert "PERDURE_HOME" in found["home"].remedy


async def test_a_foreign_temporal_without_the_search_attributes_is_told_how_to_get_them(
    whole: Options, tmp_path: Path
) -> None:
    """The remedy is the whole command."""
    program = str(binary())
    port = free_port()
    process = ServerProcess("Temporal", tmp_path / "pid", tmp_path / "log")
    command = [program, "server", "start-dev", "--headless", "--ip", LOOPBACK, "--port", str(port)]
    process.spawn(command, env=os.environ)
    try:
        address = f"{LOOPBACK}:{port}"
        client = await until_connected(address)
        found = failing(await checks(whole.model_copy(update={"temporal_address": address, "database_url": "x"})))
        _, *arguments = shlex.split(found["temporal"].remedy)
        assert (await run(program, *arguments)).code == 0
        assert await missing_search_attributes(client.service_client.config.target_host) == []
    finally:
        await process.stop()


async def until_connected(address: str) -> Client:
    """A client, as soon as the server lets one in."""
    async with asyncio.timeout(60):
        while True:
            with suppress(RuntimeError):
                return await Client.connect(address)
            await asyncio.sleep(0.05)
