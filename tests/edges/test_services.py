"""The commands by which docker-compose.temporal.yml sets things up, run against real servers."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from bootstrap import connect_temporal
from settings import Settings
from stack.messagedb import create_database, installed_version
from stack.postgres import ADMIN, EmbeddedPostgres
from stack.temporal import binary, missing_search_attributes
from tests.packaging.checkout import ROOT, compose


async def _run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{binary().parent}:{os.environ['PATH']}"} | variables
    return await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True, text=True, check=False)


async def test_the_namespace_is_set_up(temporal_server: str) -> None:
    """The script makes a namespace with all search attributes, and finds nothing to do the second time."""
    service = compose()["services"]["temporal-namespace"]
    script = [*service["entrypoint"], service["command"][0].replace("$$", "$")]
    variables = {"TEMPORAL_ADDRESS": temporal_server, "TEMPORAL_NAMESPACE": "services", "TEMPORAL_RETENTION": "30d"}
    for _ in range(2):
        ran = await _run(script, **variables)
        assert ran.returncode == 0, ran.stderr + ran.stdout
    assert await missing_search_attributes(temporal_server, "services") == []


async def test_a_key_for_the_cloud_does_not_lock_anybody_out_of_the_embedded_server(temporal_server: str) -> None:
    """Key and TLS belong to the address they were set with; the embedded server knows neither."""
    client = await connect_temporal(
        Settings(temporal_api_key=SecretStr("left over"), temporal_tls=True), temporal_server
    )
    assert await client.service_client.check_health()


async def test_message_db_is_installed(postgres_server: EmbeddedPostgres) -> None:
    """The command installs Message DB and sets the writer's password, as often as it is run."""
    await create_database(postgres_server.admin_url, "services")
    url = postgres_server.url(ADMIN, "services")
    for _ in range(2):
        ran = await _run(
            [sys.executable, "-m", "stack.provision"],
            MESSAGE_DB_ADMIN_URL=url,
            MESSAGE_STORE_PASSWORD=postgres_server.writer_password,
        )
        assert (ran.returncode, ran.stdout) == (0, "Message DB 1.3.0 is installed.\n"), ran.stderr
    assert await installed_version(url) == "1.3.0"


async def test_message_db_needs_an_address() -> None:
    """Without a database the command says which variable names one."""
    ran = await _run([sys.executable, "-m", "stack.provision"], MESSAGE_DB_ADMIN_URL="")
    assert ran.returncode == 2
    assert "MESSAGE_DB_ADMIN_URL" in ran.stderr


async def test_message_db_needs_a_database(tmp_path: Path) -> None:
    """A database that cannot be reached is told in a sentence, without a traceback."""
    url = f"postgresql:///nothing?host={tmp_path}"
    ran = await _run([sys.executable, "-m", "stack.provision"], MESSAGE_DB_ADMIN_URL=url)
    assert ran.returncode == 1
    assert "cannot be installed" in ran.stderr
    assert "Traceback" not in ran.stderr
