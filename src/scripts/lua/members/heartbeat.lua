-- Keeps members alive, of one service or of several: what is stored per service is written once for all its members.
--   KEYS[2]  deadlines of all services (sorted set)
--   KEYS[3]  when the first member of each service may expire (sorted set)
--   KEYS[3i + 1]  deadlines of the members of the i-th member's service (sorted set)
--   KEYS[3i + 2]  deadlines of its tombstones (sorted set)    KEYS[3i + 3]  record of the i-th member (hash)
--   ARGV[3i - 1]  its service    ARGV[3i]  its id    ARGV[3i + 1]  its incarnation ('' for the stored one, whichever it is)
-- Needs: lifetimes
-- Returns per member: {1, incarnation, revision, time to live in ms}: renewed; {0, incarnation}: another incarnation is
-- stored; {-1}: nothing is stored, or its deadline has passed; {-2, incarnation}: it left; {-3, incarnation, revision}: it has
-- expired here. One that drains or restarts is renewed until its end at most.

local time = now()

-- Also returns for how long it lives from now, in ms, if it was renewed; and whether an earlier version has stored it.
local function renew(record, incarnation)
  local stored = redis.call('HMGET', record, 'incarnation', 'revision', 'ttl', 'left', 'ends', 'deadline')
  if not stored[1] then return { -1 } end
  if incarnation ~= '' and incarnation ~= stored[1] then return { 0, stored[1] } end
  if stored[4] == '1' then return { -2, stored[1] } end
  if stored[4] == '2' then return { -3, stored[1], stored[2] } end
  local life, left = tonumber(stored[3]), left_of(record, stored[6])
  if left <= 0 then return { -1 } end
  -- The place of one that restarts is kept for longer than its time to live, maybe.
  if stored[5] then life = math.max(math.min(life, tonumber(stored[5]) - time), left) end
  -- This comes first: a primary whose memory is full lets a script write anything once it has extended something.
  redis.call('PEXPIRE', record, int(life + LAPSED_MS))
  redis.call('HSET', record, 'heartbeat', int(time), 'deadline', int(time + life))
  return { 1, stored[1], stored[2], stored[3] }, life, not stored[6]
end

-- What is to be written per service: in the order of their first members, and by the key of their deadlines.
local renewed, by_key = {}, {}
local replies = {}
for i = 1, (#ARGV - 1) / 3 do
  local reply, ttl, is_older = renew(KEYS[3 * i + 3], ARGV[3 * i + 1])
  replies[i] = reply
  if ttl then
    local deadlines = KEYS[3 * i + 1]
    local service = by_key[deadlines]
    if not service then
      service = { name = ARGV[3 * i - 1], deadlines = deadlines, tombstones = KEYS[3 * i + 2], ttl = 0 }
      service.ids, service.scored = {}, {}
      by_key[deadlines], renewed[#renewed + 1] = service, service
    end
    local ids, scored = service.ids, service.scored
    ids[#ids + 1] = ARGV[3 * i]
    scored[#scored + 1] = int(time + ttl)
    scored[#scored + 1] = ARGV[3 * i]
    service.ttl = math.max(service.ttl, ttl)
    if is_older then redis.call('ZADD', KEYS[3], 'LT', int(time + ttl), service.name) end
  end
end
for _, service in ipairs(renewed) do
  local deadlines, ttl = service.deadlines, service.ttl
  redis.call('ZADD', deadlines, unpack(service.scored))
  -- An instance of an earlier version may have registered a member again, and knows nothing of this set.
  redis.call('ZREM', service.tombstones, unpack(service.ids))
  redis.call('ZADD', KEYS[2], 'GT', int(time + ttl), service.name)
  -- A second further than needed, so that this is written about once a second.
  for _, key in ipairs({ deadlines, KEYS[2], KEYS[3] }) do keep_for(key, ttl + LAPSED_MS, 1000) end
end
return replies
