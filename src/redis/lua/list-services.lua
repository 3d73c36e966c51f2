-- Tells the services that have a member or a tombstone of one. Changes nothing.
--   KEYS[2]  deadlines of all services (sorted set)
-- Returns their names.

return redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. int(now()), '+inf')
