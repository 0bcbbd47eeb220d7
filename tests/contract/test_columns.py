"""Columns that are sent as they are stand in the database as what they were made of."""

from uuid import UUID

from psycopg import AsyncConnection

from eventlog import columns
from eventlog.columns import Column
from tests.conftest import Database


async def test_a_column_is_an_array_of_its_values(database: Database) -> None:
    """Of every type that appends need: ids, any text, empty text, the ends of the numbers, and nothing."""
    ids = [UUID(int=0), UUID("0198a5f0-1234-8abc-9def-0123456789ab")]
    texts = ["", "plain", 'with "quotes", {braces} and \\', "é 漢 🙂", "x" * 100_000]
    numbers = [-(2**63), -1, None, 0, 2**63 - 1]
    given = (
        Column.of(columns.UUID, [each.bytes for each in ids]),
        Column.of(columns.TEXT, [each.encode() for each in texts]),
        Column.of(columns.BIGINT, [None if each is None else columns.pack_bigint(each) for each in numbers]),
    )
    async with await AsyncConnection.connect(database.url) as connection:
        found = await connection.execute("SELECT %b::uuid[], %b::text[], %b::bigint[]", given)
        assert await found.fetchone() == (ids, texts, numbers)
