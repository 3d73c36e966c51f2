#!/usr/bin/env bash
# Marks an order as shipped, unless a newer holder of its lock has written to it.
#
#   quorate run order-42 -- ./ship-postgresql.sh 42
set -euo pipefail

changed=$(
  psql -XqAt -v ON_ERROR_STOP=1 -v id="$1" -v token="$QUORATE_FENCING_TOKEN" <<'SQL'
    UPDATE orders
       SET status = 'shipped', fencing_token = :'token'::bigint
     WHERE id = :'id'::bigint AND fencing_token <= :'token'::bigint
    RETURNING id
SQL
)
if [[ -z $changed ]]; then
  echo "order $1 was not changed: a newer holder of the lock has written to it, or it does not exist" >&2
  exit 1
fi
