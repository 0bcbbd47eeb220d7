"""Columns of values as PostgreSQL takes them in binary: whole arrays, made at one go.

The driver makes arrays of lists as well, but looks at every value to find out what it is. All who append together wait
for that, and it was a fifth of what appending many events took of Python.
"""

from collections.abc import Iterable
from struct import Struct

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypesRegistry

TYPES: TypesRegistry = psycopg.adapters.types
UUID, TEXT, BIGINT = (TYPES[name].oid for name in ("uuid", "text", "int8"))

_HEAD = Struct("!iiIii").pack
"""Dimensions, whether there may be NULLs, the values' type, how many they are, the index of the first."""
_length = Struct("!i").pack
_NULL = (_length(-1), b"")
pack_bigint = Struct("!q").pack


class Column(bytes):
    """An array of values that are bytes already, to be sent as it is; the statement says of which type it is."""

    __slots__ = ()

    @classmethod
    def of(cls, type_: int, values: "Iterable[bytes | None]") -> "Column":
        """One-dimensional, of values in their binary form; `type_` is the OID of theirs."""
        parts = [part for value in values for part in (_NULL if value is None else (_length(len(value)), value))]
        return cls(b"".join((_HEAD(1, 1, type_, len(parts) // 2, 1), *parts)))


class _ColumnDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Column) -> Column:
        return obj


psycopg.adapters.register_dumper(Column, _ColumnDumper)
