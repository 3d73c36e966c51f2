CREATE TABLE accounts (
  name    TEXT    PRIMARY KEY,
  balance INTEGER NOT NULL CHECK (balance >= 0)
);
-- The barrier: a row for each transaction that this bank has heard of, in whatever order the messages came.
CREATE TABLE transfers (
  id      TEXT    PRIMARY KEY,
  state   TEXT    NOT NULL CHECK (state IN ('prepared', 'committed', 'aborted')),
  account TEXT    REFERENCES accounts (name),
  -- What the account gets; below 0: what it gives, which is taken when it is prepared.
  amount  INTEGER NOT NULL DEFAULT 0
);
