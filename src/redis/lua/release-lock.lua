-- Ends a lease on this primary. An id that a caller chose leaves a tombstone, so that a late repetition of its
-- acquire takes nothing; so does a release that reaches a primary late, or where the lease is not held: an acquire,
-- sent by another instance, may still come behind it.
--   KEYS[2]  hold of the name (hash)            KEYS[3]  tombstone of the lease
--   ARGV[2]  leaseId                            ARGV[3]  tombstone, where one is due, ms
--   ARGV[4]  '1' when a tombstone is due in any case, else ''
-- Returns {1} when this lease held the name, else {0}.

local held = redis.call('HMGET', KEYS[2], 'lease', 'chosen')
local mine = held[1] == ARGV[2]
if ARGV[4] == '1' or not mine or held[2] == '1' then redis.call('SET', KEYS[3], 1, 'PX', ARGV[3]) end
if mine then redis.call('DEL', KEYS[2]) end
return { mine and 1 or 0 }
