"""The whole conversation with the database: Message DB's own functions, and one look-up by id."""

from typing import Final, LiteralString

WRITE: Final[LiteralString] = """
SELECT message_store.write_message(%s::varchar, %s::varchar, %s::varchar, %s::jsonb, %s::jsonb, %s::bigint)
"""
"""Appends one event and answers with its position; alone in its transaction, for it locks the whole category."""

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
