-- Keeps members alive, many in one call.
--   KEYS[2]  deadlines of all services (sorted set)
--   KEYS[3i], KEYS[3i + 1], KEYS[3i + 2]  member i: its record (hash), deadlines of its service's members (sorted set),
--            deadlines of its service's tombstones (sorted set)
--   ARGV[3i - 1], ARGV[3i], ARGV[3i + 1]  member i: service, id, incarnation ('' for the stored one, whichever it is)
-- Returns per member {1, incarnation, revision, time to live in ms}: renewed; {0, incarnation}: another incarnation is
-- stored; {-1}: nothing is stored; {-2, incarnation}: it left.

local replies = {}
local time = now()
for i = 1, (#ARGV - 1) / 3 do
  local record, deadlines, tombstones = KEYS[3 * i], KEYS[3 * i + 1], KEYS[3 * i + 2]
  local service, id, incarnation = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  local stored = redis.call('HMGET', record, 'incarnation', 'revision', 'ttl', 'left')
  if not stored[1] then
    replies[i] = { -1 }
  elseif incarnation ~= '' and incarnation ~= stored[1] then
    replies[i] = { 0, stored[1] }
  elseif stored[4] == '1' then
    replies[i] = { -2, stored[1] }
  else
    local ttl = tonumber(stored[3])
    -- This comes first: a primary whose memory is full lets a script write anything once it has extended something.
    redis.call('PEXPIRE', record, ttl)
    redis.call('HSET', record, 'heartbeat', int(time))
    redis.call('ZADD', deadlines, int(time + ttl), id)
    -- An instance of an earlier version may have registered the member again, and knows nothing of this set.
    redis.call('ZREM', tombstones, id)
    redis.call('ZADD', KEYS[2], 'GT', int(time + ttl), service)
    if redis.call('PTTL', deadlines) < ttl then redis.call('PEXPIRE', deadlines, ttl) end
    if redis.call('PTTL', KEYS[2]) < ttl then redis.call('PEXPIRE', KEYS[2], ttl) end
    replies[i] = { 1, stored[1], stored[2], stored[3] }
  end
end
return replies
