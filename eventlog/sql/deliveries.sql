-- Notices that are still to be delivered, and to whom. Neither what they say nor any secret stands here.
--
-- A row is claimed by moving `due` into the future and counting the attempt; it goes when the notice was taken, when
-- nobody needs it any more, or when it has become a dead letter in the log.

CREATE TABLE IF NOT EXISTS perdure.deliveries (
  notice text NOT NULL,            -- the id by which receivers tell a repetition
  target text NOT NULL,            -- the endpoint or notifier
  kind text NOT NULL,
  event_id uuid NOT NULL,          -- of the event it is about
  due timestamptz NOT NULL,
  attempts int NOT NULL DEFAULT 0,
  problem text,                    -- what happened when it was last tried
  PRIMARY KEY (notice, target)
);

CREATE INDEX IF NOT EXISTS deliveries_due ON perdure.deliveries (target, due);

REVOKE ALL ON TABLE perdure.deliveries FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE perdure.deliveries TO message_store;
