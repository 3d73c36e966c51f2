-- Tells the members of a service, tombstones as well. Changes nothing.
--   KEYS[2]  deadlines of the service's members (sorted set)
--   KEYS[3]  highest incarnation that was announced (string)
--   ARGV[2]  prefix of the keys of this service's records
--   ARGV[3]  '' for all members, else the id of one
-- Returns {the lowest incarnation for a registration that begins now, then per member: {id, incarnation, revision, left,
-- nonce, time to live in ms, time left in ms, age of the last heartbeat in ms, what was registered as JSON}}.

local time = now()
local ids = ARGV[3] ~= '' and { ARGV[3] } or redis.call('ZRANGE', KEYS[2], 0, -1)
local replies = { int(math.max(time, tonumber(redis.call('GET', KEYS[3]) or 0) + 1)) }
for _, id in ipairs(ids) do
  local key = ARGV[2] .. id
  local stored = redis.call('HMGET', key, 'incarnation', 'revision', 'left', 'nonce', 'ttl', 'heartbeat', 'registered')
  if stored[1] then
    replies[#replies + 1] = { id, stored[1], stored[2], stored[3], stored[4], stored[5], redis.call('PTTL', key),
      time - tonumber(stored[6]), stored[7] }
  end
end
return replies
