-- Keeps a member alive.
--   KEYS[2]  deadlines of all services (sorted set)    KEYS[3]  record of the member (hash)
--   KEYS[4]  deadlines of its service's members (sorted set)    KEYS[5]  deadlines of its service's tombstones (sorted set)
--   ARGV[2]  service    ARGV[3]  id    ARGV[4]  incarnation ('' for the stored one, whichever it is)
-- Returns {1, incarnation, revision, time to live in ms}: renewed; {0, incarnation}: another incarnation is stored;
-- {-1}: nothing is stored; {-2, incarnation}: it left.

local services, record, deadlines, tombstones = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local service, id, incarnation = ARGV[2], ARGV[3], ARGV[4]
local stored = redis.call('HMGET', record, 'incarnation', 'revision', 'ttl', 'left')
if not stored[1] then return { -1 } end
if incarnation ~= '' and incarnation ~= stored[1] then return { 0, stored[1] } end
if stored[4] == '1' then return { -2, stored[1] } end
local time, ttl = now(), tonumber(stored[3])
local ends = int(time + ttl)
-- This comes first: a primary whose memory is full lets a script write anything once it has extended something.
redis.call('PEXPIRE', record, stored[3])
redis.call('HSET', record, 'heartbeat', int(time))
redis.call('ZADD', deadlines, ends, id)
-- An instance of an earlier version may have registered the member again, and knows nothing of this set.
redis.call('ZREM', tombstones, id)
redis.call('ZADD', services, 'GT', ends, service)
-- A second further than needed, so that this is written about once a second.
if redis.call('PTTL', deadlines) < ttl then redis.call('PEXPIRE', deadlines, ttl + 1000) end
if redis.call('PTTL', services) < ttl then redis.call('PEXPIRE', services, ttl + 1000) end
return { 1, stored[1], stored[2], stored[3] }
