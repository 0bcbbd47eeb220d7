"""What docs/usage.md shows can be used as it stands there."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg

from ledger.alerts import read_alerts
from llm.messages import TokenUsage
from llm.pricing import Prices
from tests.conftest import Database
from tests.docs.documents import Snippet, snippets


def _of_usage(language: str) -> list[Snippet]:
    return [each for each in snippets(language) if each.document.name == "usage.md"]


def test_the_price_file_is_one(tmp_path: Path) -> None:
    """Families, lists with days, and tools."""
    [snippet] = _of_usage("json")
    json.loads(snippet.text)
    file = tmp_path / "prices.json"
    file.write_text(snippet.text)
    prices, usage = Prices.load(file), TokenUsage(input_tokens=1_000_000)
    days = [datetime(year, 12, 31, tzinfo=UTC) for year in (2026, 2027)]
    assert [prices.cost(usage, "claude-opus-5", day) for day in days] == [5, 4]
    assert [prices.cost_of_tool("web_search", day) for day in days] == [Decimal("0.01"), Decimal("0.008")]
    assert prices.cost(usage, "qwen-3-mini") == Decimal("0.40")


def test_the_file_of_alerts_is_one(tmp_path: Path) -> None:
    """All that are shown are read."""
    [snippet] = _of_usage("yaml")
    file = tmp_path / "alerts.yaml"
    file.write_text(snippet.text)
    assert len(read_alerts(file).alerts) == 4


async def test_the_statements_can_be_made(database: Database) -> None:
    """The ledger has the columns that are asked for, and the reader's rights suffice, for that and nothing else."""
    question, grants = (snippet.text for snippet in _of_usage("sql"))
    async with await psycopg.AsyncConnection.connect(database.admin_url) as admin:
        await admin.execute(grants.replace("'…'", "'secret'").encode())
        await admin.execute("set local role reporting")
        await (await admin.execute(question.encode())).fetchall()
        assert await _may(admin, "delete") is False
        assert await _may(admin, "select") is True
        await admin.rollback()  # roles are the whole server's


async def _may(admin: psycopg.AsyncConnection, right: str) -> bool:
    asked = await admin.execute("select has_table_privilege('reporting', 'perdure.ledger', %s)", (right,))
    row = await asked.fetchone()
    return bool(row and row[0])


async def test_the_columns_are_told(database: Database) -> None:
    """Every column of the ledger stands in the table, and no other."""
    text = _of_usage("sql")[0].document.read_text(encoding="utf-8")
    table = text.partition("| column | meaning |")[2].partition("\n\n")[0]
    told = {word for line in table.splitlines()[2:] for word in line.split("|")[1].replace("`", "").split(", ")}
    async with await psycopg.AsyncConnection.connect(database.admin_url) as admin:
        query = "select column_name from information_schema.columns where table_name = 'ledger'"
        there = {str(name) for (name,) in await (await admin.execute(query)).fetchall()}
    assert {name.strip() for name in told} == there
