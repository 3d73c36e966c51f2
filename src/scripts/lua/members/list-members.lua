-- Describes members of a service, and tombstones, by the ids given and in their order: as many as fit. Changes nothing.
--   KEYS[2]  highest incarnation that was announced (string)
--   KEYS[3]  members of the service that have reports against them (sorted set of deadlines)
--   KEYS[4]  guard of the service (hash)    KEYS[5]  deadlines of its members (sorted set)
--   KEYS[6]  deadlines of its tombstones (sorted set)
--   ARGV[2]  prefix of the keys of this service's records
--   ARGV[3]  'ring': only the registered fields that a ring is built from, else ''
--   ARGV[4]  bytes of registered data after which no more members are returned
--   ARGV[5]  above this share of late members a guard begins, percent    ARGV[6]  members from which on a service is guarded
--   ARGV[i + 6]  id of member i; each takes some microseconds
-- Needs: lifetimes, guards
-- Returns {the lowest incarnation for a registration that begins now, how many ids were looked at, for how long members are held
-- back whose time is over in ms (0: not at all; -1: a guard is to begin), {id, incarnation,
-- revision, left, nonce, time to live in ms, time left in ms, age of the last heartbeat in ms, what was registered as
-- JSON, whether there are reports against it: 1 or 0, status, nonce of its last change, time after which it ends whatever its
-- heartbeats do in ms or '', what happened to make it so or '', '1' for the tombstone of one that expired elsewhere or '', the
-- load that was reported as JSON or '', for how long a tombstone has been one in ms or ''} ...}.
-- Time left: until the deadline on this primary, below zero where that has passed.

local time, bytes, most = now(), 0, tonumber(ARGV[4])
local replies = { int(math.max(time, tonumber(redis.call('GET', KEYS[2]) or 0) + 1)), #ARGV - 6, 0 }

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

for i = 7, #ARGV do
  local key = ARGV[2] .. ARGV[i]
  local stored = redis.call('HMGET', key, 'incarnation', 'revision', 'left', 'nonce', 'ttl', 'heartbeat', 'registered',
    'status', 'change', 'ends', 'event', 'deadline', 'copied', 'load', 'gone')
  if stored[1] then
    local left = left_of(key, stored[12])
    local registered, load = stored[7], stored[14] or ''
    if ARGV[3] == 'ring' then registered, load = of_ring(registered), '' end
    replies[#replies + 1] = { ARGV[i], stored[1], stored[2], stored[3], stored[4], stored[5],
      int(left), time - tonumber(stored[6]), registered, reported(ARGV[i]),
      -- A record of an earlier version has none of these.
      stored[8] or 'up', stored[9] or '', stored[10] and int(tonumber(stored[10]) - time) or '', stored[11] or '',
      stored[13] or '', load, stored[15] and int(time - tonumber(stored[15])) or '' }
    if replies[3] == 0 and stored[3] == '0' and left <= 0 then
      replies[3] = held_for(KEYS[4], KEYS[5], KEYS[6], stored[5], ARGV[5], ARGV[6]) or 0
    end
    bytes = bytes + #registered + #load
    if bytes >= most then
      replies[2] = i - 6
      break
    end
  end
end
return replies
