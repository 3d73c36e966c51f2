-- Describes members of a service, and tombstones, by the ids given and in their order: as many as fit. Changes nothing.
--   KEYS[2]  highest incarnation that was announced (string)
--   KEYS[3]  members of the service that have reports against them (sorted set of deadlines)
--   ARGV[2]  prefix of the keys of this service's records
--   ARGV[3]  'ring': only the registered fields that a ring is built from, else ''
--   ARGV[4]  bytes of registered data after which no more members are returned
--   ARGV[i + 4]  id of member i; each takes some microseconds
-- Needs: lifetimes
-- Returns {the lowest incarnation for a registration that begins now, how many ids were looked at, {id, incarnation,
-- revision, left, nonce, time to live in ms, time left in ms, age of the last heartbeat in ms, what was registered as
-- JSON, whether there are reports against it: 1 or 0, status, nonce of its last change, time after which it ends whatever its
-- heartbeats do in ms or '', what happened to make it so or '', '1' for the tombstone of one that expired elsewhere or ''} ...}.
-- Time left: until the deadline on this primary, below zero where that has passed.

local time, bytes, most = now(), 0, tonumber(ARGV[4])
local replies = { int(math.max(time, tonumber(redis.call('GET', KEYS[2]) or 0) + 1)), #ARGV - 4 }

-- {"address":...,"weight":...,"zone":...,"tags":[...: no string contains an unescaped quote, so the first match of
-- each is the field.
local function of_ring(registered)
  local from = string.find(registered, ',"weight":', 1, true)
  local to = from and string.find(registered, ',"tags":', from, true)
  return to and '{' .. string.sub(registered, from + 1, to - 1) .. '}' or registered
end

local some_reported = redis.call('EXISTS', KEYS[3]) == 1
local function reported(id)
  local ends = some_reported and redis.call('ZSCORE', KEYS[3], id)
  return ends and tonumber(ends) > time and 1 or 0
end

for i = 5, #ARGV do
  local key = ARGV[2] .. ARGV[i]
  local stored = redis.call('HMGET', key, 'incarnation', 'revision', 'left', 'nonce', 'ttl', 'heartbeat', 'registered',
    'status', 'change', 'ends', 'event', 'deadline', 'copied')
  if stored[1] then
    local registered = ARGV[3] == 'ring' and of_ring(stored[7]) or stored[7]
    replies[#replies + 1] = { ARGV[i], stored[1], stored[2], stored[3], stored[4], stored[5],
      int(left_of(key, stored[12])), time - tonumber(stored[6]), registered, reported(ARGV[i]),
      -- A record of an earlier version has none of these.
      stored[8] or 'up', stored[9] or '', stored[10] and int(tonumber(stored[10]) - time) or '', stored[11] or '',
      stored[13] or '' }
    bytes = bytes + #registered
    if bytes >= most then
      replies[2] = i - 4
      break
    end
  end
end
return replies
