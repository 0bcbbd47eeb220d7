-- Gates: rate limits that hold across workers. A gate lets so much through in so much time, and no more.
--
-- What was let through costs its gate seconds: half a second each at two a second. `paid_at` is when all of it will
-- have been paid for (the generic cell rate algorithm); so much as `burst` may be owed. Who must wait queues up, and the
-- queue is fair: each tenant's next call stands behind the last one that was let through and its own others, not
-- behind all others' (self-clocked fair queueing). A place is kept for who comes back when told to.
--
-- Nothing here must survive a crash of the database, so nothing is written to its journal: a call waits for no disk.

CREATE UNLOGGED TABLE IF NOT EXISTS perdure.gates (
  name text PRIMARY KEY,
  paid_at timestamptz NOT NULL,
  turn float8 NOT NULL DEFAULT 0         -- the place of the last one that was let through
);

CREATE INDEX IF NOT EXISTS gates_by_paid_at ON perdure.gates (paid_at);

CREATE UNLOGGED TABLE IF NOT EXISTS perdure.gate_queue (
  gate text NOT NULL,
  ticket text NOT NULL,                  -- the call
  flow text NOT NULL,                    -- on whose behalf
  turn float8 NOT NULL,                  -- its place
  cost float8 NOT NULL,                  -- in seconds of the gate
  since timestamptz NOT NULL,
  due timestamptz NOT NULL,              -- when it was told to come back
  PRIMARY KEY (gate, ticket)
);

REVOKE ALL ON TABLE perdure.gates, perdure.gate_queue FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE perdure.gates, perdure.gate_queue TO message_store;

-- Seconds before the call may be made, and which gate says so: 0 is now, and then it has passed all of them.
--
-- `_names` are the gates, `_bursts` what may be owed and `_costs` what the call costs, both in seconds of the gate. What
-- costs more than may be owed passes when nothing is owed. Who is overdue by more than `_patience` seconds holds
-- nobody up, and is forgotten some time later.
CREATE OR REPLACE FUNCTION perdure.pass_gates(
  _names text[], _bursts float8[], _costs float8[], _flows text[], _ticket text, _patience float8
) RETURNS TABLE (wait float8, gate text) AS $$
#variable_conflict use_column
DECLARE
  _now timestamptz;
  _number int;
  _gate perdure.gates;
  _place perdure.gate_queue;
  _ahead float8;
  _wait float8;
  _longest float8 := 0;
  _binding int;
  _places float8[] := '{}';
BEGIN
  INSERT INTO perdure.gates (name, paid_at)
  SELECT given.name, clock_timestamp()
    FROM unnest(_names) AS given (name)
   WHERE NOT EXISTS (SELECT FROM perdure.gates known WHERE known.name = given.name)
   ORDER BY given.name
      ON CONFLICT DO NOTHING;
  IF FOUND THEN                          -- gates of threads and tenants that are long gone
    DELETE FROM perdure.gates
     WHERE name IN (SELECT old.name FROM perdure.gates old
                     WHERE old.paid_at < clock_timestamp() - interval '1 hour' AND old.name <> ALL (_names)
                     ORDER BY old.paid_at LIMIT 20 FOR UPDATE SKIP LOCKED);
  END IF;
  PERFORM FROM perdure.gates WHERE name = ANY (_names) ORDER BY name FOR UPDATE;
  _now := clock_timestamp();
  FOR _number IN 1 .. cardinality(_names) LOOP
    SELECT * INTO _gate FROM perdure.gates WHERE name = _names[_number];
    SELECT * INTO _place FROM perdure.gate_queue queue WHERE queue.gate = _names[_number] AND queue.ticket = _ticket;
    IF NOT FOUND THEN
      _place.since := _now;
      SELECT greatest(_gate.turn, coalesce(max(queue.turn), 0)) + _costs[_number]
        INTO _place.turn
        FROM perdure.gate_queue queue
       WHERE queue.gate = _names[_number] AND queue.flow = _flows[_number]
         AND queue.due > _now - interval '1 minute';
    END IF;
    _places[_number] := _place.turn;
    SELECT coalesce(sum(queue.cost), 0)
      INTO _ahead
      FROM perdure.gate_queue queue
     WHERE queue.gate = _names[_number]
       AND queue.ticket <> _ticket
       AND queue.due > _now - make_interval(secs => _patience)
       AND (queue.turn < _place.turn
            OR (queue.turn = _place.turn  -- who came later: it is not the one with the many calls
                AND (queue.since > _place.since OR (queue.since = _place.since AND queue.ticket < _ticket))));
    _wait := greatest(extract(epoch FROM _gate.paid_at - _now), 0) + _ahead
             + least(_costs[_number], _bursts[_number]) - _bursts[_number];
    IF _wait > _longest THEN
      _longest := _wait;
      _binding := _number;
    END IF;
  END LOOP;
  IF _binding IS NULL OR _longest < 0.001 THEN
    UPDATE perdure.gates
       SET paid_at = greatest(paid_at, _now) + make_interval(secs => given.cost),
           turn = greatest(turn, given.place)
      FROM unnest(_names, _costs, _places) AS given (gate, cost, place)
     WHERE name = given.gate;
    DELETE FROM perdure.gate_queue queue WHERE queue.gate = ANY (_names) AND queue.ticket = _ticket;
    RETURN QUERY SELECT 0::float8, ''::text;
    RETURN;
  END IF;
  DELETE FROM perdure.gate_queue queue
   WHERE queue.gate = ANY (_names)
     AND (queue.due < _now - interval '1 minute' OR (queue.ticket = _ticket AND queue.gate <> _names[_binding]));
  INSERT INTO perdure.gate_queue AS queue (gate, ticket, flow, turn, cost, since, due)
  VALUES (_names[_binding], _ticket, _flows[_binding], _places[_binding], _costs[_binding], _now,
          _now + make_interval(secs => _longest))
      ON CONFLICT (gate, ticket) DO UPDATE SET due = excluded.due;
  RETURN QUERY SELECT _longest, _names[_binding];
END;
$$ LANGUAGE plpgsql SET search_path = perdure, pg_temp;

-- A call cost more or less than was thought: the difference, in seconds of each gate.
CREATE OR REPLACE FUNCTION perdure.settle_gates(_names text[], _differences float8[]) RETURNS void AS $$
  UPDATE perdure.gates
     SET paid_at = paid_at + make_interval(secs => given.difference)
    FROM unnest(_names, _differences) AS given (gate, difference)
   WHERE name = given.gate;
$$ LANGUAGE sql SET search_path = perdure, pg_temp;
