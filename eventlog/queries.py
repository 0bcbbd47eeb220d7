"""The whole conversation with the database: Message DB's own functions, two of ours, and one look-up by id."""

from typing import Final, LiteralString

WRITE: Final[LiteralString] = """
SELECT message_store.write_message(%s::varchar, %s::varchar, %s::varchar, %s::jsonb, %s::jsonb, %s::bigint)
"""
"""Appends one event and answers with its position; alone in its transaction, for it locks the whole category."""

APPEND_BATCH: Final[LiteralString] = """
SELECT outcome, version, id, stream_name, type, position, global_position, data, metadata, time
  FROM perdure.append_batch(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[])
"""
"""Appends many events and answers for each, in their order. Binary: quoting JSON in a text array costs the double."""

APPEND_UNDISPUTED: Final[LiteralString] = """
SELECT perdure.append_undisputed(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[]),
       extract(epoch FROM clock_timestamp() - statement_timestamp())::float8
"""
"""Appends many events of one category and answers with their positions; NULL, and nothing done, where one cannot be.

Also how many seconds that took, without the commit.
"""

MAY_APPEND: Final[LiteralString] = """
SELECT function.proname::text
  FROM pg_catalog.pg_proc function
  JOIN pg_catalog.pg_namespace schema ON schema.oid = function.pronamespace
 WHERE schema.nspname = 'perdure'
   AND function.proname IN ('append_batch', 'append_undisputed')
   AND pg_catalog.oidvectortypes(function.proargtypes) = 'uuid[], text[], text[], text[], text[], bigint[]'
   AND pg_catalog.has_schema_privilege(schema.oid, 'USAGE')
   AND pg_catalog.has_function_privilege(function.oid, 'EXECUTE')
"""
"""Which of our two functions are installed in the shape used here, for us; a release up to 0.3.0 installed only one."""

READ_STREAM: Final[LiteralString] = """
SELECT id, stream_name, type, position, global_position, data, metadata, time
  FROM message_store.get_stream_messages(%s::varchar, %s::bigint, %s::bigint)
"""
"""So many events of a stream from a position on. The function gives its JSON as text, in order."""

READ_CATEGORY: Final[LiteralString] = """
SELECT id, stream_name, type, position, global_position, data, metadata, time
  FROM message_store.get_category_messages(%s::varchar, %s::bigint, %s::bigint)
"""
"""So many events of a category from a global position on, in the order in which they became visible."""

STREAMS: Final[LiteralString] = """
SELECT stream_name::varchar
  FROM message_store.messages
 WHERE message_store.category(stream_name) = %s::varchar
 GROUP BY stream_name
 ORDER BY min(global_position)
"""
"""Every stream of a category, by the index `messages_category`; Message DB has no function for it."""

FIND: Final[LiteralString] = """
SELECT id::varchar, stream_name::varchar, type::varchar, position, global_position,
       data::varchar, metadata::varchar, time
  FROM message_store.messages
 WHERE id = %s::uuid
"""
"""The event with an id, by the index `messages_id`; Message DB has no function for it."""

VERSION: Final[LiteralString] = "SELECT message_store.stream_version(%s::varchar)"
"""The position of a stream's last event; NULL where there is none."""

CHECK: Final[LiteralString] = "SELECT message_store.message_store_version()"
"""The version of Message DB that is installed."""
