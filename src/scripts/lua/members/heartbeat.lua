-- Keeps members alive, of one service or of several: what is stored per service is written once for all its members. Thousands
-- come in a second, so they are told in few arguments and one reply, which cost less than many.
--   KEYS[2]  deadlines of all services (sorted set)
--   KEYS[2i + 1]  deadlines of the members of the i-th service (sorted set)
--   KEYS[2i + 2]  deadlines of its tombstones (sorted set)
--   ARGV[3i - 1]  its name    ARGV[3i]  prefix of the keys of its records
--   ARGV[3i + 1]  its heartbeats, each of three lines: id, incarnation (empty for the stored one, whichever it is), load as
--                 JSON (empty to leave it as it is)
-- Returns one line per heartbeat, in this order: '1 incarnation revision ttlMs': renewed, one that drains or restarts until its
-- end at most; '0 incarnation': another incarnation is stored; '-1': nothing is stored; '-2 incarnation': it left.

local time = now()

-- Also returns for how long it lives from now, in ms, if it was renewed.
local function renew(record, incarnation, load)
  local stored = redis.call('HMGET', record, 'incarnation', 'revision', 'ttl', 'left', 'ends')
  if not stored[1] then return '-1' end
  if incarnation ~= '' and incarnation ~= stored[1] then return '0 ' .. stored[1] end
  if stored[4] == '1' then return '-2 ' .. stored[1] end
  local life = tonumber(stored[3])
  -- The place of one that restarts is kept for longer than its time to live, maybe.
  if stored[5] then life = math.max(math.min(life, tonumber(stored[5]) - time), redis.call('PTTL', record)) end
  -- This comes first: a primary whose memory is full lets a script write anything once it has extended something.
  redis.call('PEXPIRE', record, int(life))
  if load == '' then
    redis.call('HSET', record, 'heartbeat', int(time))
  else
    redis.call('HSET', record, 'heartbeat', int(time), 'load', load)
  end
  return '1 ' .. stored[1] .. ' ' .. stored[2] .. ' ' .. stored[3], life
end

-- `scored`: the new deadlines of the members `ids`; `ttl`: the longest of their times to live, ms.
local function keep_service(service, deadlines, tombstones, ids, scored, ttl)
  redis.call('ZADD', deadlines, unpack(scored))
  -- An instance of an earlier version may have registered a member again, and knows nothing of this set.
  redis.call('ZREM', tombstones, unpack(ids))
  redis.call('ZADD', KEYS[2], 'GT', int(time + ttl), service)
  -- A second further than needed, so that this is written about once a second.
  if redis.call('PTTL', deadlines) < ttl then redis.call('PEXPIRE', deadlines, ttl + 1000) end
  if redis.call('PTTL', KEYS[2]) < ttl then redis.call('PEXPIRE', KEYS[2], ttl + 1000) end
end

local replies = {}
for i = 1, (#KEYS - 2) / 2 do
  local service, prefix, heartbeats = unpack(ARGV, 3 * i - 1, 3 * i + 1)
  local ids, scored, longest = {}, {}, 0
  for id, incarnation, load in string.gmatch(heartbeats, '([^\n]*)\n([^\n]*)\n([^\n]*)\n') do
    local reply, ttl = renew(prefix .. id, incarnation, load)
    replies[#replies + 1] = reply
    if ttl then
      ids[#ids + 1] = id
      scored[#scored + 1] = int(time + ttl)
      scored[#scored + 1] = id
      longest = math.max(longest, ttl)
    end
  end
  if longest > 0 then keep_service(service, KEYS[2 * i + 1], KEYS[2 * i + 2], ids, scored, longest) end
end
return table.concat(replies, '\n')
