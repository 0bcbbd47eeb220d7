-- Appends many events in one transaction: Message DB's own table, lock and order, one outcome for each event.
--
-- Written as Message DB's role and with its rights alone (SELECT and INSERT), so that the log stays append-only by
-- the database's own doing. What does not change:
--
--   - The lock of a category is taken first, by `acquire_lock`, and held until the commit: within a category the
--     global positions become visible in their order. Several categories are locked in the order of their keys, so
--     that two batches never wait for each other.
--   - Ids and versions are looked at before a number is drawn, so that a refused event leaves no gap.
--   - Events of one stream get successive positions in the order in which they are given, and each one's expected
--     version is compared with what the ones before it made of the stream.
--
-- An upgrade replaces the function in place. Its arguments and its answer never change: another shape gets another
-- name, for processes of both releases may be connected.

CREATE SCHEMA IF NOT EXISTS perdure;
GRANT USAGE ON SCHEMA perdure TO message_store;

CREATE OR REPLACE FUNCTION perdure.append_batch(
  ids uuid[],
  stream_names text[],
  types text[],
  datas text[],
  metadatas text[],
  expected_versions bigint[]
)
RETURNS TABLE (
  outcome text,            -- appended | duplicate | conflict
  version bigint,          -- the position it was given; where it stands already; the stream's actual version
  id varchar,              -- of a duplicate: the event that stands there, to compare with
  stream_name varchar,
  type varchar,
  "position" bigint,
  global_position bigint,
  data varchar,
  metadata varchar,
  "time" timestamp
)
AS $$
#variable_conflict use_column
DECLARE
  _stream_name varchar;
  _versions bigint[];
  _item record;
  _outcomes text[] := '{}';
  _results bigint[] := '{}';
BEGIN
  FOR _stream_name IN
    SELECT representative.name
      FROM (SELECT min(name) AS name FROM unnest(stream_names) AS name GROUP BY split_part(name, '-', 1)) representative
     ORDER BY message_store.hash_64(message_store.category(representative.name))
  LOOP
    PERFORM message_store.acquire_lock(_stream_name);
  END LOOP;

  SELECT array_agg(
           (SELECT coalesce(max(written.position), -1)
              FROM message_store.messages written
             WHERE written.stream_name = stream.name)
           ORDER BY stream.name)
    INTO _versions
    FROM (SELECT DISTINCT unnest(stream_names) AS name) stream;

  FOR _item IN
    SELECT given.ordinal,
           given.expected_version,
           dense_rank() OVER (ORDER BY given.stream_name) AS stream,
           lag(given.ordinal) OVER (PARTITION BY given.id ORDER BY given.ordinal) AS twin,
           (SELECT written.position FROM message_store.messages written WHERE written.id = given.id) AS stands_at
      FROM unnest(ids, stream_names, expected_versions)
           WITH ORDINALITY AS given (id, stream_name, expected_version, ordinal)
     ORDER BY given.ordinal
  LOOP
    IF _item.stands_at IS NOT NULL THEN
      _outcomes[_item.ordinal] := 'duplicate';
      _results[_item.ordinal] := _item.stands_at;
    ELSIF _outcomes[_item.twin] <> 'conflict' THEN
      _outcomes[_item.ordinal] := 'duplicate';
      _results[_item.ordinal] := _results[_item.twin];
    ELSIF _item.expected_version <> _versions[_item.stream] THEN
      _outcomes[_item.ordinal] := 'conflict';
      _results[_item.ordinal] := _versions[_item.stream];
    ELSE
      _outcomes[_item.ordinal] := 'appended';
      _results[_item.ordinal] := _versions[_item.stream] + 1;
      _versions[_item.stream] := _versions[_item.stream] + 1;
    END IF;
  END LOOP;

  INSERT INTO message_store.messages (id, stream_name, position, type, data, metadata)
  SELECT given.id, given.stream_name, given.position, given.type, given.data::jsonb, given.metadata::jsonb
    FROM unnest(ids, stream_names, _results, types, datas, metadatas, _outcomes)
         WITH ORDINALITY AS given (id, stream_name, position, type, data, metadata, outcome, ordinal)
   WHERE given.outcome = 'appended'
   ORDER BY given.ordinal;

  RETURN QUERY
  SELECT result.outcome, result.version, written.*
    FROM unnest(_outcomes, _results, ids) WITH ORDINALITY AS result (outcome, version, id, ordinal)
    LEFT JOIN LATERAL (
           SELECT message.id::varchar, message.stream_name::varchar, message.type::varchar, message.position,
                  message.global_position, message.data::varchar, message.metadata::varchar, message.time
             FROM message_store.messages message
            WHERE message.id = result.id AND result.outcome = 'duplicate'
           OFFSET 0
         ) written ON true
   ORDER BY result.ordinal;
END;
$$ LANGUAGE plpgsql
VOLATILE
SET search_path = message_store, pg_temp
SET enable_seqscan = off  -- plans are kept while the table grows: none may be made for a table that is still small
;

REVOKE ALL ON FUNCTION perdure.append_batch(uuid[], text[], text[], text[], text[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION perdure.append_batch(uuid[], text[], text[], text[], text[], bigint[]) TO message_store;
