-- What was used and what it cost, one row for each call or failed attempt: a view of the log, as a table to be asked.
--
-- It is made by the consumer `ledger` and by nobody else, and can be thrown away and made again at any time:
-- `perdure usage --rebuild`. Whoever may read it can ask it with any tool that speaks SQL.

CREATE TABLE IF NOT EXISTS perdure.ledger (
  global_position bigint PRIMARY KEY,   -- of the event
  at timestamptz NOT NULL,              -- the writer's clock
  day date NOT NULL,                    -- of `at`, in UTC
  thread text NOT NULL,
  tenant text NOT NULL,
  principal text NOT NULL,              -- who started the thread
  model text,                           -- that answered, or was asked in vain; NULL for calls of tools
  tool text,                            -- NULL for calls of models
  calls int NOT NULL,                   -- replies of a model; calls of a tool that returned
  failures int NOT NULL,                -- attempts that failed
  unknown int NOT NULL,                 -- calls of a tool of which nobody knows whether they took effect
  input_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  cache_read_tokens bigint NOT NULL,
  cache_write_tokens bigint NOT NULL,
  cost_usd numeric,                     -- NULL: the price is not known, and it was not free
  duration_ms bigint NOT NULL,
  CONSTRAINT ledger_model_or_tool CHECK (num_nonnulls(model, tool) = 1)
);

CREATE INDEX IF NOT EXISTS ledger_day ON perdure.ledger (day);
CREATE INDEX IF NOT EXISTS ledger_thread ON perdure.ledger (thread);

-- What is known of a thread when its calls are entered.

CREATE TABLE IF NOT EXISTS perdure.ledger_threads (
  thread text PRIMARY KEY,
  tenant text NOT NULL,
  principal text NOT NULL,
  asked text NOT NULL,                  -- the model that was asked last
  begun jsonb NOT NULL                  -- calls of tools that were begun and cost something, with what
);

REVOKE ALL ON TABLE perdure.ledger, perdure.ledger_threads FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE perdure.ledger, perdure.ledger_threads TO message_store;
