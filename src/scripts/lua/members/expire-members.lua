-- Turns members whose deadline on this primary has passed into tombstones: one vote that each has expired. Any instance may
-- ask, as often as it likes. A bounded part at a time.
--   KEYS[2]  when the first member of each service may expire: never later than it does (sorted set)
--   KEYS[3]  deadlines of all services (sorted set)
--   ARGV[2]  prefix of the keys of all records            ARGV[3]  prefix of the sets of services' members
--   ARGV[4]  prefix of the sets of services' tombstones   ARGV[5]  for how much longer than its time to live a tombstone lives, ms
--   ARGV[6]  how many services are looked at              ARGV[7]  how many members are looked at
--   ARGV[8]  prefix of the events of services             ARGV[9]  prefix of the keys of guards
--   ARGV[10] above this share of late members a guard begins, percent
--   ARGV[11] members from which on a service is guarded
-- Needs: lifetimes, events, guards
-- Returns {time until the next part is due in ms or '' for unknown, {service, id of a member that has expired here or '' where
-- none has since a guard is to begin} ...}.

local time, rest = now(), tonumber(ARGV[7])
local reply = { '' }
-- Whoever asks next finds the guard, or sees to it again.
local BEGIN_MS = 100

-- What happened, as put-member.lua stores it.
local function event_of(status, ends)
  if status == 'restarting' then return 'expired it did not come back in time' end
  if status == 'draining' and ends and tonumber(ends) <= time then return 'left it has drained' end
  return 'expired no heartbeat for its time to live'
end

-- One whose entry in the set has passed: what is stored says whether it has. Returns for how long it is held back, if it is.
local function look(service, id, members, tombstones)
  local record = ARGV[2] .. service .. '/' .. id
  local stored = redis.call('HMGET', record, 'incarnation', 'left', 'ttl', 'deadline', 'status', 'ends',
    'revision', 'nonce', 'change', 'registered')
  local ends
  if stored[1] and stored[2] == '0' then
    ends = time + left_of(record, stored[4])
    if ends <= time then
      -- A drain and a restart's grace end when they were to end.
      local is_over = stored[6] and tonumber(stored[6]) <= time
      local held = not is_over and held_for(ARGV[9] .. service, members, tombstones, stored[3], ARGV[10], ARGV[11])
      if held then return held end
      local life = tonumber(stored[3]) + tonumber(ARGV[5])
      ends = time + life
      local event = event_of(stored[5], stored[6])
      redis.call('HSET', record, 'left', '2', 'deadline', int(ends), 'event', event, 'gone', int(time))
      redis.call('HDEL', record, 'copied', 'claim')
      redis.call('PEXPIRE', record, int(life))
      redis.call('ZADD', tombstones, int(ends), id)
      keep_for(tombstones, life + LAPSED_MS)
      keep_for(members, life + LAPSED_MS)
      redis.call('ZADD', KEYS[3], 'GT', int(ends), service)
      keep_for(KEYS[3], life + LAPSED_MS)
      append_event(ARGV[8] .. service, 'member', id, 'incarnation', stored[1], 'revision', stored[7], 'left', '2',
        'nonce', stored[8], 'change', stored[9] or '', 'status', stored[5] or 'up', 'event', event, 'registered', stored[10])
      reply[#reply + 1] = { service, id }
    end
    redis.call('ZADD', members, int(ends), id)
  else
    redis.call('ZREM', members, id)
    redis.call('ZREM', tombstones, id)
  end
end

for _, service in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', int(time), 'LIMIT', 0, ARGV[6])) do
  local members, tombstones = ARGV[3] .. service, ARGV[4] .. service
  if rest > 0 then
    local passed = redis.call('ZRANGEBYSCORE', members, '-inf', int(time), 'LIMIT', 0, int(rest))
    local held
    for _, id in ipairs(passed) do held = look(service, id, members, tombstones) or held end
    rest = rest - #passed
    if held == -1 then reply[#reply + 1] = { service, '' } end
    local first = redis.call('ZRANGE', members, 0, 0, 'WITHSCORES')
    if held then redis.call('ZADD', KEYS[2], int(time + (held == -1 and BEGIN_MS or held)), service)
    elseif first[2] then redis.call('ZADD', KEYS[2], first[2], service)
    else redis.call('ZREM', KEYS[2], service) end
  end
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if first[2] then reply[1] = int(math.max(0, tonumber(first[2]) - time)) end
return reply
