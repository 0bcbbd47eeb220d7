-- Budgets that threads share: what is spent and set aside of each account, and what each call has set aside.
--
-- Every function is one short transaction. It locks one row of `budget_holds` (or those of one thread, in the order of
-- their ids) and after that rows of `budget_accounts`, in the order of their names. Whoever waits for a hold has locked
-- no account, and whoever waits for an account waits only for those who have all the earlier ones: no deadlock.
--
-- Old periods' accounts may be deleted at any time.

CREATE TABLE IF NOT EXISTS perdure.budget_accounts (
  account text COLLATE "C" PRIMARY KEY,  -- see budgets/account.py
  period text NOT NULL,
  spent numeric NOT NULL DEFAULT 0,
  held numeric NOT NULL DEFAULT 0,
  raised numeric NOT NULL DEFAULT 0,
  warned numeric NOT NULL DEFAULT 0,     -- the largest part of the cap of which somebody has heard
  warned_by uuid                         -- the hold that passed it
) WITH (fillfactor = 50);                -- every call changes them: room for that on the same page
CREATE INDEX IF NOT EXISTS budget_accounts_period ON perdure.budget_accounts (period);

CREATE TABLE IF NOT EXISTS perdure.budget_holds (
  hold uuid PRIMARY KEY,
  thread text NOT NULL,
  attempt text NOT NULL DEFAULT '',
  open boolean NOT NULL DEFAULT false,   -- whether its lines are set aside
  lines jsonb NOT NULL DEFAULT '[]'      -- [{account, measure, amount}]
);
CREATE INDEX IF NOT EXISTS budget_holds_thread ON perdure.budget_holds (thread);
ALTER TABLE perdure.budget_holds
  ADD COLUMN IF NOT EXISTS refused jsonb NOT NULL DEFAULT '{}',  -- {account: what had been raised of it when it had no room}
  ADD COLUMN IF NOT EXISTS waits_for text;                       -- the account of which somebody was asked for more
CREATE INDEX IF NOT EXISTS budget_holds_waits_for ON perdure.budget_holds (waits_for) WHERE waits_for IS NOT NULL;

CREATE TABLE IF NOT EXISTS perdure.budget_raises (
  id uuid PRIMARY KEY,                   -- of the event that says so
  account text NOT NULL,
  amount numeric NOT NULL
);

REVOKE ALL ON TABLE perdure.budget_accounts, perdure.budget_holds, perdure.budget_raises FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE
   ON TABLE perdure.budget_accounts, perdure.budget_holds, perdure.budget_raises TO message_store;

CREATE OR REPLACE FUNCTION perdure.budget_lock(_accounts text[]) RETURNS void AS $$
DECLARE
  _account text;
BEGIN
  FOR _account IN SELECT DISTINCT name COLLATE "C" FROM unnest(_accounts) AS name ORDER BY 1 LOOP
    LOOP
      PERFORM FROM perdure.budget_accounts each WHERE each.account = _account FOR UPDATE;
      EXIT WHEN FOUND;
      INSERT INTO perdure.budget_accounts (account, period) VALUES (_account, (_account::jsonb) ->> 3)
          ON CONFLICT (account) DO NOTHING;
    END LOOP;
  END LOOP;
END
$$ LANGUAGE plpgsql;

-- What was set aside is so no longer; of each line counts what was used of its measure, or else all of it.
CREATE OR REPLACE FUNCTION perdure.budget_move(_lines jsonb, _used jsonb) RETURNS void AS $$
  UPDATE perdure.budget_accounts each
     SET held = each.held - moved.amount, spent = each.spent + moved.used
    FROM (SELECT line ->> 'account' AS account, sum((line ->> 'amount')::numeric) AS amount,
                 sum(coalesce(_used ->> (line ->> 'measure'), line ->> 'amount')::numeric) AS used
            FROM jsonb_array_elements(_lines) AS line
           GROUP BY 1) moved
   WHERE each.account = moved.account
$$ LANGUAGE sql;

CREATE OR REPLACE FUNCTION perdure.budget_accounts_of(_lines jsonb) RETURNS text[] AS $$
  SELECT coalesce(array_agg(line ->> 'account'), '{}') FROM jsonb_array_elements(_lines) AS line
$$ LANGUAGE sql IMMUTABLE;

-- _lines: [{account, measure, amount, cap, warn: [parts of the cap, ascending]}], each account once.
CREATE OR REPLACE FUNCTION perdure.budget_reserve(
  _hold uuid, _thread text, _attempt text, _lines jsonb, _lost boolean
)
RETURNS TABLE (account text, spent numeric, held numeric, raised numeric, refused boolean, warned numeric) AS $$
#variable_conflict use_column
DECLARE
  _known perdure.budget_holds;
  _refused boolean;
BEGIN
  LOOP
    SELECT * INTO _known FROM perdure.budget_holds each WHERE each.hold = _hold FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO perdure.budget_holds (hold, thread) VALUES (_hold, _thread) ON CONFLICT (hold) DO NOTHING;
  END LOOP;
  PERFORM perdure.budget_lock(perdure.budget_accounts_of(_known.lines) || perdure.budget_accounts_of(_lines));

  IF _known.attempt = _attempt THEN     -- said twice
    _lines := _known.lines;
  ELSE
    IF _known.open THEN
      PERFORM perdure.budget_move(_known.lines, CASE WHEN _lost THEN '{}' ELSE '{"cost":0,"tokens":0,"calls":0}' END::jsonb);
    END IF;
    SELECT coalesce(bool_or(each.spent + each.held + (line ->> 'amount')::numeric
                            > (line ->> 'cap')::numeric + each.raised), false)
      INTO _refused
      FROM jsonb_array_elements(_lines) AS line
      JOIN perdure.budget_accounts each ON each.account = line ->> 'account';
    IF _refused THEN
      UPDATE perdure.budget_holds each
         SET attempt = '', open = false, lines = '[]', waits_for = NULL,
             refused = (SELECT jsonb_object_agg(account.account, account.raised)
                          FROM jsonb_array_elements(_lines) AS line
                          JOIN perdure.budget_accounts account ON account.account = line ->> 'account')
       WHERE each.hold = _hold;
      RETURN QUERY
        SELECT each.account, each.spent, each.held, each.raised,
               each.spent + each.held + (line ->> 'amount')::numeric > (line ->> 'cap')::numeric + each.raised,
               NULL::numeric
          FROM jsonb_array_elements(_lines) WITH ORDINALITY AS given (line, number)
          JOIN perdure.budget_accounts each ON each.account = line ->> 'account'
         ORDER BY number;
      RETURN;
    END IF;
    UPDATE perdure.budget_accounts each
       SET held = each.held + (line ->> 'amount')::numeric
      FROM jsonb_array_elements(_lines) AS line
     WHERE each.account = line ->> 'account';
    UPDATE perdure.budget_accounts each
       SET warned = passed.share, warned_by = _hold
      FROM (SELECT line ->> 'account' AS account, max(part::numeric) AS share
              FROM jsonb_array_elements(_lines) AS line
              JOIN perdure.budget_accounts now ON now.account = line ->> 'account',
                   jsonb_array_elements_text(line -> 'warn') AS part
             WHERE now.spent + now.held >= part::numeric * ((line ->> 'cap')::numeric + now.raised)
             GROUP BY 1) passed
     WHERE each.account = passed.account AND each.warned < passed.share;
    UPDATE perdure.budget_holds each
       SET attempt = _attempt, open = true, lines = _lines, refused = '{}', waits_for = NULL
     WHERE each.hold = _hold;
  END IF;

  RETURN QUERY
    SELECT each.account, each.spent, each.held, each.raised, false,
           CASE WHEN each.warned_by = _hold THEN each.warned END
      FROM jsonb_array_elements(_lines) WITH ORDINALITY AS given (line, number)
      JOIN perdure.budget_accounts each ON each.account = line ->> 'account'
     ORDER BY number;
END
$$ LANGUAGE plpgsql;

CREATE OR REPLACE FUNCTION perdure.budget_settle(_hold uuid, _attempt text, _used jsonb) RETURNS boolean AS $$
DECLARE
  _known perdure.budget_holds;
BEGIN
  SELECT * INTO _known FROM perdure.budget_holds each WHERE each.hold = _hold FOR UPDATE;
  IF NOT FOUND OR NOT _known.open OR _known.attempt <> coalesce(_attempt, _known.attempt) THEN
    RETURN false;
  END IF;
  PERFORM perdure.budget_lock(perdure.budget_accounts_of(_known.lines));
  PERFORM perdure.budget_move(_known.lines, _used);
  UPDATE perdure.budget_holds each SET open = false WHERE each.hold = _hold;
  RETURN true;
END
$$ LANGUAGE plpgsql;

CREATE OR REPLACE FUNCTION perdure.budget_close(_thread text) RETURNS bigint AS $$
DECLARE
  _holds uuid[];
  _lines jsonb;
  _count bigint;
BEGIN
  SELECT coalesce(array_agg(locked.hold), '{}')
    INTO _holds
    FROM (SELECT each.hold FROM perdure.budget_holds each WHERE each.thread = _thread ORDER BY each.hold FOR UPDATE) locked;
  SELECT coalesce(jsonb_agg(line), '[]'), count(DISTINCT each.hold)
    INTO _lines, _count
    FROM perdure.budget_holds each, jsonb_array_elements(each.lines) AS line
   WHERE each.hold = ANY(_holds) AND each.open;
  PERFORM perdure.budget_lock(perdure.budget_accounts_of(_lines));
  PERFORM perdure.budget_move(_lines, '{}');
  DELETE FROM perdure.budget_holds each WHERE each.hold = ANY(_holds);
  RETURN _count;
END
$$ LANGUAGE plpgsql;

CREATE OR REPLACE FUNCTION perdure.budget_raise(_id uuid, _account text, _amount numeric) RETURNS boolean AS $$
BEGIN
  INSERT INTO perdure.budget_raises (id, account, amount) VALUES (_id, _account, _amount) ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM perdure.budget_lock(ARRAY[_account]);
  UPDATE perdure.budget_accounts each SET raised = each.raised + _amount WHERE each.account = _account;
  RETURN true;
END
$$ LANGUAGE plpgsql;

-- Somebody is asked for more of an account: how much was raised since the hold was refused, or nothing, and then it waits.
-- Whoever raises it afterwards finds it among those that wait: both lock the account.
CREATE OR REPLACE FUNCTION perdure.budget_wait(_hold uuid, _account text) RETURNS numeric AS $$
DECLARE
  _known perdure.budget_holds;
  _since numeric;
BEGIN
  SELECT * INTO _known FROM perdure.budget_holds each WHERE each.hold = _hold FOR UPDATE;
  IF NOT FOUND OR NOT _known.refused ? _account THEN
    RETURN 0;
  END IF;
  PERFORM perdure.budget_lock(ARRAY[_account]);
  SELECT each.raised - (_known.refused ->> _account)::numeric INTO _since
    FROM perdure.budget_accounts each WHERE each.account = _account;
  UPDATE perdure.budget_holds each SET waits_for = CASE WHEN _since = 0 THEN _account END WHERE each.hold = _hold;
  RETURN _since;
END
$$ LANGUAGE plpgsql;
