-- Circuits: whether a provider, or one of its models, is well enough to be asked; shared by all workers.
--
--   closed      it is asked; failures of the last window are counted against successes
--   open        it is not asked before `open_until`
--   half_open   one caller asks it, to see; the others wait for what comes of that, at most until `probe_until`
--
-- Nobody writes here so long as all is well. Each function is one short transaction under the circuit's own row lock
-- and by the server's clock, so that of many who find it open one alone makes the probe. A trigger notes every change
-- of state, with its reason, in the same transaction.

CREATE TABLE IF NOT EXISTS perdure.circuits (
  name text PRIMARY KEY,                 -- "anthropic", "anthropic/claude-…"
  state text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
  why text NOT NULL DEFAULT '',
  changed_at timestamptz NOT NULL DEFAULT now(),
  window_began timestamptz NOT NULL DEFAULT '-infinity',
  failures int NOT NULL DEFAULT 0,       -- in the window
  successes int NOT NULL DEFAULT 0,      -- in the window, so far as they were reported
  openings int NOT NULL DEFAULT 0,       -- in a row: each is longer than the one before
  open_until timestamptz NOT NULL DEFAULT '-infinity',
  probe_by text NOT NULL DEFAULT '',
  probe_until timestamptz NOT NULL DEFAULT '-infinity',
  slow_until timestamptz NOT NULL DEFAULT '-infinity'  -- the provider has asked everybody to wait so long
);

CREATE TABLE IF NOT EXISTS perdure.circuit_changes (
  number bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  at timestamptz NOT NULL,
  before text NOT NULL,
  after text NOT NULL,
  why text NOT NULL
);

CREATE INDEX IF NOT EXISTS circuit_changes_by_name ON perdure.circuit_changes (name, number);

REVOKE ALL ON TABLE perdure.circuits, perdure.circuit_changes FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE ON TABLE perdure.circuits TO message_store;
GRANT SELECT, INSERT ON TABLE perdure.circuit_changes TO message_store;

CREATE OR REPLACE FUNCTION perdure.note_circuit_change() RETURNS trigger AS $$
BEGIN
  INSERT INTO perdure.circuit_changes (name, at, before, after, why)
  VALUES (NEW.name, NEW.changed_at, OLD.state, NEW.state, NEW.why);
  RETURN NULL;
END;
$$ LANGUAGE plpgsql SET search_path = perdure, pg_temp;

DROP TRIGGER IF EXISTS circuit_changes ON perdure.circuits;
CREATE TRIGGER circuit_changes
  AFTER UPDATE ON perdure.circuits
  FOR EACH ROW WHEN (OLD.state <> NEW.state)
  EXECUTE FUNCTION perdure.note_circuit_change();

-- Seconds before the circuit may be asked by `who`: 0 is now; where it is not closed, that is then the probe.
CREATE OR REPLACE FUNCTION perdure.circuit_enter(_name text, _who text, _probe float8) RETURNS float8 AS $$
DECLARE
  _circuit perdure.circuits;
  _now timestamptz;
BEGIN
  SELECT * INTO _circuit FROM perdure.circuits WHERE name = _name FOR UPDATE;
  _now := clock_timestamp();
  IF NOT FOUND THEN
    RETURN 0;
  ELSIF _circuit.state = 'closed' THEN
    RETURN greatest(extract(epoch FROM _circuit.slow_until - _now), 0);
  ELSIF _circuit.state = 'open' AND _circuit.open_until > _now THEN
    RETURN extract(epoch FROM _circuit.open_until - _now);
  ELSIF _circuit.state = 'half_open' AND _circuit.probe_until > _now AND _circuit.probe_by <> _who THEN
    RETURN extract(epoch FROM _circuit.probe_until - _now);
  END IF;
  UPDATE perdure.circuits
     SET state = 'half_open', probe_by = _who, probe_until = _now + make_interval(secs => _probe),
         why = CASE state WHEN 'open' THEN 'it is tried again' ELSE why END,
         changed_at = CASE state WHEN 'open' THEN _now ELSE changed_at END
   WHERE name = _name;
  RETURN 0;
END;
$$ LANGUAGE plpgsql SET search_path = perdure, pg_temp;

-- A call failed in a way that means illness; `_successes` were seen by its process since it last said so.
CREATE OR REPLACE FUNCTION perdure.circuit_failed(
  _name text, _who text, _why text, _successes int, _at_once boolean,
  _window float8, _failures int, _ratio float8, _open float8, _longest float8
) RETURNS text AS $$
DECLARE
  _circuit perdure.circuits;
  _now timestamptz;
BEGIN
  INSERT INTO perdure.circuits (name) VALUES (_name) ON CONFLICT DO NOTHING;
  SELECT * INTO _circuit FROM perdure.circuits WHERE name = _name FOR UPDATE;
  _now := clock_timestamp();
  IF _circuit.state = 'open' OR (_circuit.state = 'half_open' AND _circuit.probe_by <> _who) THEN
    RETURN _circuit.state;               -- a call of before: it says nothing new
  END IF;
  IF _circuit.window_began < _now - make_interval(secs => _window) THEN
    _circuit.window_began := _now;
    _circuit.failures := 0;
    _circuit.successes := 0;
  END IF;
  _circuit.failures := _circuit.failures + 1;
  _circuit.successes := _circuit.successes + _successes;
  IF _at_once OR _circuit.state = 'half_open'
     OR (_circuit.failures >= _failures AND _circuit.failures >= _ratio * (_circuit.failures + _circuit.successes))
  THEN
    _circuit.state := 'open';
    _circuit.why := _why;
    _circuit.changed_at := _now;
    _circuit.open_until := _now + make_interval(secs => least(_open * 2 ^ least(_circuit.openings, 20), _longest));
    _circuit.openings := _circuit.openings + 1;
    _circuit.probe_by := '';
  END IF;
  UPDATE perdure.circuits
     SET state = _circuit.state, why = _circuit.why, changed_at = _circuit.changed_at,
         window_began = _circuit.window_began, failures = _circuit.failures, successes = _circuit.successes,
         openings = _circuit.openings, open_until = _circuit.open_until, probe_by = _circuit.probe_by
   WHERE name = _name;
  RETURN _circuit.state;
END;
$$ LANGUAGE plpgsql SET search_path = perdure, pg_temp;

-- Calls succeeded: the probe closes the circuit; otherwise they are counted against the window's failures.
CREATE OR REPLACE FUNCTION perdure.circuit_succeeded(_name text, _who text, _successes int) RETURNS text AS $$
  UPDATE perdure.circuits
     SET successes = CASE state WHEN 'half_open' THEN 0 ELSE successes + _successes END,
         failures = CASE state WHEN 'half_open' THEN 0 ELSE failures END,
         openings = CASE state WHEN 'half_open' THEN 0 ELSE openings END,
         why = CASE state WHEN 'half_open' THEN 'it answered' ELSE why END,
         changed_at = CASE state WHEN 'half_open' THEN clock_timestamp() ELSE changed_at END,
         probe_by = '',
         state = 'closed'
   WHERE name = _name
     AND (state = 'closed' OR (state = 'half_open' AND probe_by = _who))
  RETURNING state;
$$ LANGUAGE sql SET search_path = perdure, pg_temp;

-- The probe came to nothing that tells whether it is well: another may be made at once.
CREATE OR REPLACE FUNCTION perdure.circuit_left(_name text, _who text) RETURNS void AS $$
  UPDATE perdure.circuits SET probe_by = '', probe_until = '-infinity'
   WHERE name = _name AND state = 'half_open' AND probe_by = _who;
$$ LANGUAGE sql SET search_path = perdure, pg_temp;

-- The provider has asked everybody to wait.
CREATE OR REPLACE FUNCTION perdure.circuit_slowed(_name text, _seconds float8) RETURNS void AS $$
  INSERT INTO perdure.circuits AS circuit (name, slow_until)
  VALUES (_name, clock_timestamp() + make_interval(secs => _seconds))
      ON CONFLICT (name) DO UPDATE SET slow_until = greatest(circuit.slow_until, excluded.slow_until);
$$ LANGUAGE sql SET search_path = perdure, pg_temp;

-- Somebody closes a circuit by hand; an empty name is all of them. Answers with the names of those that were not well.
CREATE OR REPLACE FUNCTION perdure.circuit_reset(_name text, _who text) RETURNS SETOF text AS $$
  UPDATE perdure.circuits
     SET state = 'closed', why = 'closed by ' || _who, changed_at = clock_timestamp(), failures = 0, successes = 0,
         openings = 0, probe_by = '', slow_until = '-infinity'
   WHERE (name = _name OR _name = '')
     AND (state <> 'closed' OR failures > 0 OR slow_until > clock_timestamp())
  RETURNING name;
$$ LANGUAGE sql SET search_path = perdure, pg_temp;
