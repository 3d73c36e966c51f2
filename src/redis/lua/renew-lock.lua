-- Extends a hold. Without the condition on the counter at its grant, an old holder's renewal could succeed after
-- a newer commit.
--   KEYS[2]  hold of the name (hash)
--   ARGV[2]  leaseId    ARGV[3]  fencing token of the lease    ARGV[4]  time to live, ms
-- Returns {1, mode, owner, metadata}: extended (never shortened); {0}: held by nobody, by another lease, or by this
-- lease since a later grant than the token's.

local held = redis.call('HMGET', KEYS[2], 'lease', 'g', 'mode', 'owner', 'metadata')
if held[1] ~= ARGV[2] or tonumber(held[2]) > tonumber(ARGV[3]) then return { 0 } end
local ttl = tonumber(ARGV[4])
if redis.call('PTTL', KEYS[2]) < ttl then redis.call('PEXPIRE', KEYS[2], ttl) end
mark_lease(now(), ttl)
return { 1, held[3], held[4], held[5] }
