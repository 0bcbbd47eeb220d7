-- States of views, kept so that nobody folds a long stream from its beginning: never the truth, only faster.
--
-- One for each stream and view, the newest. It belongs to the event after which it was made: where that event does not
-- stand where the snapshot says, as after a restore, the snapshot is none. Whoever writes the log may write these too,
-- and delete them: all of them can be thrown away at any time.

CREATE TABLE IF NOT EXISTS perdure.snapshots (
  stream_name text NOT NULL,
  projection text NOT NULL,
  version text NOT NULL,           -- of the code that made it: other code does not read it
  position bigint NOT NULL,        -- of the last event in it
  event_id uuid NOT NULL,          -- of that event
  state bytea NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (stream_name, projection)
);

REVOKE ALL ON TABLE perdure.snapshots FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE perdure.snapshots TO message_store;
