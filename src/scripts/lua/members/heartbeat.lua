-- Keeps members alive, of one service or of several: what is stored per service is written once for all its members. Thousands
-- come in a second, so they are told in few arguments and one reply, which cost less than many.
--   KEYS[2]  deadlines of all services (sorted set)
--   KEYS[3]  when the first member of each service may expire (sorted set)
--   KEYS[2i + 2]  deadlines of the members of the i-th service (sorted set)
--   KEYS[2i + 3]  deadlines of its tombstones (sorted set)
--   ARGV[2]  prefix of the lists of leases that are bound to members
--   ARGV[3i]  its name    ARGV[3i + 1]  prefix of the keys of its records
--   ARGV[3i + 2]  its heartbeats, each of four lines: id, incarnation (empty for the stored one, whichever it is), load as
--                 JSON (empty to leave it as it is), nonce that the registration must have (empty: any)
-- Needs: lifetimes
-- Returns one line per heartbeat, in this order: '1 incarnation revision ttlMs': renewed, one that drains or restarts until its
-- end at most; '1 incarnation revision ttlMs 1': the same, and leases are bound to it, which only one that names the nonce is told; '0 incarnation': another incarnation is stored; '-1': nothing is stored, or its deadline has passed;
-- '-2 incarnation': it left; '-3 incarnation revision': it has expired here; '-4 incarnation': the registration has another nonce.

local time = now()

-- Also returns for how long it lives from now, in ms, if it was renewed; and whether an earlier version has stored it.
local function renew(record, incarnation, load, nonce, lists)
  local stored = redis.call('HMGET', record, 'incarnation', 'revision', 'ttl', 'left', 'ends', 'deadline')
  if not stored[1] then return '-1' end
  if incarnation ~= '' and incarnation ~= stored[1] then return '0 ' .. stored[1] end
  if stored[4] == '1' then return '-2 ' .. stored[1] end
  if stored[4] == '2' then return '-3 ' .. stored[1] .. ' ' .. stored[2] end
  -- Asked for only where it matters: most heartbeats name none.
  if nonce ~= '' and redis.call('HGET', record, 'nonce') ~= nonce then return '-4 ' .. stored[1] end
  local life, left = tonumber(stored[3]), left_of(record, stored[6])
  if left <= 0 then return '-1' end
  -- The place of one that restarts is kept for longer than its time to live, maybe.
  if stored[5] then life = math.max(math.min(life, tonumber(stored[5]) - time), left) end
  -- This comes first: a primary whose memory is full lets a script write anything once it has extended something.
  redis.call('PEXPIRE', record, int(life + LAPSED_MS))
  if load == '' then
    redis.call('HSET', record, 'heartbeat', int(time), 'deadline', int(time + life))
  else
    redis.call('HSET', record, 'heartbeat', int(time), 'deadline', int(time + life), 'load', load)
  end
  local has_leases = nonce ~= '' and redis.call('EXISTS', lists .. stored[1]) == 1 and ' 1' or ''
  return '1 ' .. stored[1] .. ' ' .. stored[2] .. ' ' .. stored[3] .. has_leases, life, not stored[6]
end

-- `scored`: the new deadlines of the members `ids`; `ttl`: the longest of their times to live, ms.
local function keep_service(service, deadlines, tombstones, ids, scored, ttl)
  redis.call('ZADD', deadlines, unpack(scored))
  -- An instance of an earlier version may have registered a member again, and knows nothing of this set.
  redis.call('ZREM', tombstones, unpack(ids))
  redis.call('ZADD', KEYS[2], 'GT', int(time + ttl), service)
  -- A second further than needed, so that this is written about once a second.
  for _, key in ipairs({ deadlines, KEYS[2], KEYS[3] }) do keep_for(key, ttl + LAPSED_MS, 1000) end
end

local replies = {}
for i = 1, (#KEYS - 3) / 2 do
  local service, prefix, heartbeats = unpack(ARGV, 3 * i, 3 * i + 2)
  local ids, scored, longest = {}, {}, 0
  for id, incarnation, load, nonce in string.gmatch(heartbeats, '([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n') do
    local reply, ttl, is_older = renew(prefix .. id, incarnation, load, nonce,
      nonce ~= '' and ARGV[2] .. service .. '/' .. id .. '/')
    replies[#replies + 1] = reply
    if ttl then
      ids[#ids + 1] = id
      scored[#scored + 1] = int(time + ttl)
      scored[#scored + 1] = id
      longest = math.max(longest, ttl)
      if is_older then redis.call('ZADD', KEYS[3], 'LT', int(time + ttl), service) end
    end
  end
  if longest > 0 then keep_service(service, KEYS[2 * i + 2], KEYS[2 * i + 3], ids, scored, longest) end
end
return table.concat(replies, '\n')
