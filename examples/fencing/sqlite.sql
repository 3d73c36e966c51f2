CREATE TABLE orders (
  id            INTEGER PRIMARY KEY,
  status        TEXT    NOT NULL,
  -- The highest token of all writes so far. NULL would refuse every token.
  fencing_token INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE shipments (
  order_id      INTEGER NOT NULL REFERENCES orders (id)
);
