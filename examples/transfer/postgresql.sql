CREATE TABLE accounts (
  name    text   PRIMARY KEY,
  balance bigint NOT NULL CHECK (balance >= 0)
);
-- The barrier: a row for each transaction that this bank has heard of, in whatever order the messages came.
CREATE TABLE transfers (
  id      uuid   PRIMARY KEY,
  state   text   NOT NULL CHECK (state IN ('prepared', 'committed', 'aborted')),
  account text   REFERENCES accounts,
  -- What the account gets; below 0: what it gives, which is taken when it is prepared.
  amount  bigint NOT NULL DEFAULT 0
);

-- Takes what the account gives, once. Returns the state: `aborted` where that cannot be, or was decided before.
CREATE FUNCTION prepare(its_id uuid, its_account text, its_amount bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  -- Whoever comes at the same time waits here, and then finds the row.
  INSERT INTO transfers VALUES (its_id, 'prepared', (SELECT name FROM accounts WHERE name = its_account), its_amount)
    ON CONFLICT DO NOTHING;
  IF FOUND THEN
    UPDATE accounts SET balance = balance - greatest(0, -its_amount) WHERE name = its_account AND balance >= -its_amount;
    IF NOT FOUND THEN -- there is no such account, or not enough in it
      UPDATE transfers SET state = 'aborted' WHERE id = its_id;
    END IF;
  END IF;
  RETURN (SELECT state FROM transfers WHERE id = its_id);
END $$;

-- Carries out what was decided, once.
CREATE FUNCTION finish(its_id uuid, decision text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  transfer transfers;
BEGIN
  -- An abort that comes before its prepare leaves a row, which stops that.
  INSERT INTO transfers (id, state) VALUES (its_id, 'aborted') ON CONFLICT DO NOTHING;
  UPDATE transfers SET state = decision WHERE id = its_id AND state = 'prepared' RETURNING * INTO transfer;
  -- What is to be had comes with the commit; what was taken comes back with the abort.
  IF FOUND AND (transfer.amount > 0) = (decision = 'committed') THEN
    UPDATE accounts SET balance = balance + abs(transfer.amount) WHERE name = transfer.account;
  END IF;
END $$;
