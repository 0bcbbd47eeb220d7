-- Appends many events of one category in one transaction, if nothing at all speaks against any of them; else none.
--
-- Nearly every batch is like that, and for those it does less than `append_batch`, which is asked about the others: one
-- look at all of them, and one number for each as the answer. The table, the lock, the order and the rights are those of
-- `append_batch`, and what is said there holds here, also that its arguments and its answer never change.

CREATE OR REPLACE FUNCTION perdure.append_undisputed(
  ids uuid[],
  stream_names text[],
  types text[],
  datas text[],
  metadatas text[],
  expected_versions bigint[]
)
RETURNS bigint[]  -- the position each was given; NULL: nothing was written, for one or more cannot be
AS $$
#variable_conflict use_column
DECLARE
  _positions bigint[];
  _undisputed boolean;
BEGIN
  PERFORM message_store.acquire_lock(stream_names[1]);

  SELECT array_agg(placed.position ORDER BY placed.ordinal),
         count(DISTINCT placed.id) = count(*)
         AND bool_and(split_part(placed.stream_name, '-', 1) = split_part(stream_names[1], '-', 1))
         AND bool_and(placed.expected_version IS NULL OR placed.expected_version = placed.position - 1)
         AND NOT bool_or(EXISTS (SELECT FROM message_store.messages written WHERE written.id = placed.id))
    INTO _positions, _undisputed
    FROM (SELECT given.*,
                 row_number() OVER (PARTITION BY given.stream_name ORDER BY given.ordinal)
                 + coalesce((SELECT max(written.position)
                               FROM message_store.messages written
                              WHERE written.stream_name = given.stream_name), -1) AS position
            FROM unnest(ids, stream_names, expected_versions)
                 WITH ORDINALITY AS given (id, stream_name, expected_version, ordinal)) placed;

  IF NOT _undisputed THEN
    RETURN NULL;
  END IF;

  INSERT INTO message_store.messages (id, stream_name, position, type, data, metadata)
  SELECT given.id, given.stream_name, given.position, given.type, given.data::jsonb, given.metadata::jsonb
    FROM unnest(ids, stream_names, _positions, types, datas, metadatas)
         WITH ORDINALITY AS given (id, stream_name, position, type, data, metadata, ordinal)
   ORDER BY given.ordinal;
  RETURN _positions;
END;
$$ LANGUAGE plpgsql
VOLATILE
SET search_path = message_store, pg_temp
SET enable_seqscan = off  -- as in `append_batch`
;

REVOKE ALL ON FUNCTION perdure.append_undisputed(uuid[], text[], text[], text[], text[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION perdure.append_undisputed(uuid[], text[], text[], text[], text[], bigint[])
  TO message_store;
