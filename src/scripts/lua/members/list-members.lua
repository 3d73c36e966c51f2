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
-- back whose time is over in ms (0: not at all; -1: a guard is to begin), the time now, of each member as a text
-- the lines {incarnation, revision, left, nonce, time to live in ms, last heartbeat, what was registered as JSON,
-- status, nonce of its last change, when it ends whatever its heartbeats do, what happened to make it so, deadline, '1' for the
-- tombstone of one that expired elsewhere, the load that was reported as JSON, since when a tombstone is one, '1' where there are
-- reports against it, id} ...}. What is not there is ''. All times by the clock of this primary, in ms.
-- As they are stored, and as one text: with a reply for each field, computed here, a member would cost twice as much here
-- and three times as much to read.

local time, bytes, most = now(), 0, tonumber(ARGV[4])
local replies = { int(math.max(time, tonumber(redis.call('GET', KEYS[2]) or 0) + 1)), #ARGV - 6, 0, int(time) }

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
  return ends and tonumber(ends) > time and '1' or ''
end

for i = 7, #ARGV do
  local key = ARGV[2] .. ARGV[i]
  local stored = redis.call('HMGET', key, 'incarnation', 'revision', 'left', 'nonce', 'ttl', 'heartbeat', 'registered',
    'status', 'change', 'ends', 'event', 'deadline', 'copied', 'load', 'gone')
  if stored[1] then
    -- One of an earlier version ends with its key, and has fewer fields.
    local deadline = stored[12] or int(time + redis.call('PTTL', key))
    stored[12] = deadline
    for field = 8, 15 do stored[field] = stored[field] or '' end
    if ARGV[3] == 'ring' then stored[7], stored[14] = of_ring(stored[7]), '' end
    stored[16], stored[17] = reported(ARGV[i]), ARGV[i]
    replies[#replies + 1] = table.concat(stored, '\n')
    if replies[3] == 0 and stored[3] == '0' and tonumber(deadline) <= time then
      replies[3] = held_for(KEYS[4], KEYS[5], KEYS[6], stored[5], ARGV[5], ARGV[6]) or 0
    end
    bytes = bytes + #stored[7] + #stored[14]
    if bytes >= most then
      replies[2] = i - 6
      break
    end
  end
end
return replies
