-- Large content of events, under its SHA-256: an event holds a reference, "␛@sha256:<hex>:<bytes>", in its place.
--
-- The database itself sees to it that a content has the name it says, and that nobody who writes events can change
-- or remove one. Nothing is compressed: reading and writing then take a third of the time.

CREATE TABLE IF NOT EXISTS perdure.artifacts (
  sha256 bytea PRIMARY KEY,
  content bytea NOT NULL,
  size bigint NOT NULL GENERATED ALWAYS AS (octet_length(content)) STORED,
  stored_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT artifacts_content_addressed CHECK (sha256 = pg_catalog.sha256(content))
);

ALTER TABLE perdure.artifacts ALTER COLUMN content SET STORAGE EXTERNAL;

REVOKE ALL ON TABLE perdure.artifacts FROM PUBLIC;
GRANT SELECT, INSERT ON TABLE perdure.artifacts TO message_store;
