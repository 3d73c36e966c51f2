CREATE TABLE orders (
  id            bigint PRIMARY KEY,
  status        text   NOT NULL,
  -- The highest token of all writes so far. An integer would be too small, and NULL would refuse every token.
  fencing_token bigint NOT NULL DEFAULT 0
);
