-- Keeps members alive, of one service or of several: what is stored per service is written once for all its members.
--   KEYS[2]  deadlines of all services (sorted set)
--   KEYS[3i]  deadlines of the members of the i-th member's service (sorted set)
--   KEYS[3i + 1]  deadlines of its tombstones (sorted set)    KEYS[3i + 2]  record of the i-th member (hash)
--   ARGV[3i - 1]  its service    ARGV[3i]  its id    ARGV[3i + 1]  its incarnation ('' for the stored one, whichever it is)
-- Returns per member: {1, incarnation, revision, time to live in ms}: renewed; {0, incarnation}: another incarnation is
-- stored; {-1}: nothing is stored; {-2, incarnation}: it left. One that drains or restarts is renewed until its end at most.

local time = now()

-- Also returns for how long it lives from now, in ms, if it was renewed.
local function renew(record, incarnation)
  local stored = redis.call('HMGET', record, 'incarnation', 'revision', 'ttl', 'left', 'ends')
  if not stored[1] then return { -1 } end
  if incarnation ~= '' and incarnation ~= stored[1] then return { 0, stored[1] } end
  if stored[4] == '1' then return { -2, stored[1] } end
  -- This comes first: a primary whose memory is full lets a script write anything once it has extended something.
  local life = tonumber(stored[3])
  -- The place of one that restarts is kept for longer than its time to live, maybe.
  if stored[5] then life = math.max(math.min(life, tonumber(stored[5]) - time), redis.call('PTTL', record)) end
  redis.call('PEXPIRE', record, int(life))
  redis.call('HSET', record, 'heartbeat', int(time))
  return { 1, stored[1], stored[2], stored[3] }, life
end

-- What is to be written per service: in the order of their first members, and by the key of their deadlines.
local renewed, by_key = {}, {}
local replies = {}
for i = 1, (#ARGV - 1) / 3 do
  local reply, ttl = renew(KEYS[3 * i + 2], ARGV[3 * i + 1])
  replies[i] = reply
  if ttl then
    local deadlines = KEYS[3 * i]
    local service = by_key[deadlines]
    if not service then
      service = { name = ARGV[3 * i - 1], deadlines = deadlines, tombstones = KEYS[3 * i + 1], ttl = 0 }
      service.ids, service.scored = {}, {}
      by_key[deadlines], renewed[#renewed + 1] = service, service
    end
    local ids, scored = service.ids, service.scored
    ids[#ids + 1] = ARGV[3 * i]
    scored[#scored + 1] = int(time + ttl)
    scored[#scored + 1] = ARGV[3 * i]
    service.ttl = math.max(service.ttl, ttl)
  end
end
for _, service in ipairs(renewed) do
  local deadlines, ttl = service.deadlines, service.ttl
  redis.call('ZADD', deadlines, unpack(service.scored))
  -- An instance of an earlier version may have registered a member again, and knows nothing of this set.
  redis.call('ZREM', service.tombstones, unpack(service.ids))
  redis.call('ZADD', KEYS[2], 'GT', int(time + ttl), service.name)
  -- A second further than needed, so that this is written about once a second.
  if redis.call('PTTL', deadlines) < ttl then redis.call('PEXPIRE', deadlines, ttl + 1000) end
  if redis.call('PTTL', KEYS[2]) < ttl then redis.call('PEXPIRE', KEYS[2], ttl + 1000) end
end
return replies
