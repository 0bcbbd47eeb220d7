-- How far each consumer of the log has read, and which process reads for it now.
--
-- One row for each consumer. The position moves in the transaction of what was made of the events, and only for the
-- process that holds the row and began where it stands: so nothing is made twice, whoever believes to hold it.

CREATE TABLE IF NOT EXISTS perdure.consumers (
  name text PRIMARY KEY,
  position bigint NOT NULL,        -- global position of the last event in what it makes; within one category
  holder uuid,                     -- of the process that reads for it
  held_until timestamptz,          -- then anybody may take it
  moved_at timestamptz NOT NULL DEFAULT now()
);

REVOKE ALL ON TABLE perdure.consumers FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE perdure.consumers TO message_store;
