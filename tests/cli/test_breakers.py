"""`perdure breakers`, and what the doctor says of circuits and limits."""

from pathlib import Path

import psycopg
import pytest

from eventlog.postgres import PostgresEventLog
from resilience.postgres import PostgresStore
from resilience.store import CircuitTerms
from tests.cli.conftest import Perdure
from tests.cli.nursery import Nursery
from tests.conftest import Database

NAME = "anthropic/claude-1"
ONE = CircuitTerms(failures=1, open=3000, longest=3000)


@pytest.fixture
async def perdure(tmp_path: Path, database: Database, nursery: Nursery) -> Perdure:
    """The command, with a database and nothing else."""
    return Perdure(tmp_path, {"DATABASE_URL": database.url, "TEMPORAL_ADDRESS": "127.0.0.1:1"}, nursery)


@pytest.fixture
async def ill(database: Database) -> None:
    """A model that failed, so that nobody asks it."""
    async with PostgresEventLog.connect(database.url) as log:
        await PostgresStore(log.statements).failed(NAME, "t", "overloaded: \x1b[31mtoo much", ONE)


@pytest.mark.usefixtures("ill")
async def test_circuits_are_listed(perdure: Perdure) -> None:
    """Their state, since when, why and for how long; and how they came into it."""
    listed = (await perdure("breakers", "list", "--json")).json
    [circuit], [change] = listed["circuits"], listed["changes"]
    assert (circuit["name"], circuit["state"], circuit["failures"], circuit["slow"]) == (NAME, "open", 1, 0)
    assert 2000 < circuit["wait"] <= 3000
    assert (change["name"], change["before"], change["after"]) == (NAME, "closed", "open")
    assert change["at"] == circuit["since"]
    page = await perdure("breakers", "list")
    assert NAME in page.out
    assert "\x1b" not in page.out, "what a provider says does not steer the terminal"


@pytest.mark.usefixtures("ill")
async def test_a_circuit_is_closed_by_hand(perdure: Perdure) -> None:
    """The one that is named, or all; one that is none is told apart from one that is well."""
    wrong = await perdure("breakers", "reset", "anthropic/claude", "--json")
    assert (wrong.code, wrong.json["error"]["kind"]) == (4, "not_found")
    assert NAME in wrong.json["error"]["remedy"]
    assert (await perdure("breakers", "reset", "--json")).code == 2
    assert (await perdure("breakers", "reset", NAME, "--json", PERDURE_PRINCIPAL="ana")).json == {"closed": [NAME]}
    assert (await perdure("breakers", "reset", "--all", "--json")).json == {"closed": []}
    changes = (await perdure("breakers", "list", "--json")).json["changes"]
    assert changes[0]["why"] == "closed by ana"


@pytest.mark.usefixtures("ill")
async def test_the_doctor_names_what_is_open(perdure: Perdure, tmp_path: Path) -> None:
    """And a file of limits that cannot be read, with the line of each mistake."""
    checks = {check["name"]: check for check in (await perdure("doctor", "--json")).json["checks"]}
    assert not checks["circuits"]["ok"]
    assert checks["circuits"]["detail"].startswith(f"{NAME} is open since ")
    limits = tmp_path / "limits.yaml"
    limits.write_text("limits:\n- {id: a, tools: x}\n", encoding="utf-8")
    checked = (await perdure("doctor", "--json", PERDURE_RATE_LIMITS=str(limits))).json["checks"]
    [broken] = [check for check in checked if check["name"] == "rate limits"]
    assert "limits.yaml:2:3: limits: the limit a: write one of per_second" in broken["detail"]


async def test_a_database_without_the_tables_is_told_of(perdure: Perdure, database: Database) -> None:
    """Nothing fails for it: there are no circuits, and the command says what to do."""
    async with await psycopg.AsyncConnection.connect(database.admin_url, autocommit=True) as connection:
        await connection.execute("drop function perdure.pass_gates")
    answer = await perdure("breakers", "list", "--json")
    assert (answer.code, answer.json["error"]["kind"]) == (5, "database_misconfigured")
    checks = {check["name"]: check for check in (await perdure("doctor", "--json")).json["checks"]}
    assert checks["circuits"]["ok"]
    assert "no tables" in checks["circuits"]["detail"]
