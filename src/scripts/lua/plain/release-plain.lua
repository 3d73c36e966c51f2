-- The plain path of release-lease.lua, with the keys and arguments that leases.lua describes: an exclusive lease of one
-- name, which is held here and which nobody waits for.
-- Needs: counters

local mode, names, optional, name, kind = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[10]
local is_listed, is_unlisted = optional == 'h' or optional == 'fh', optional == '' or optional == 'f'
if mode ~= 'shared' and names == '1' and (is_listed or is_unlisted) and kind == 'released'
  and string.sub(name, 1, 7) ~= 'permit/' then
  local lease, tombstone_ms, always = ARGV[3], ARGV[8], ARGV[9]
  local hold, queue = unpack(KEYS, 5 + #optional)
  -- Without a mode it may be a reader's.
  if redis.call('EXISTS', queue, mode == '' and hold .. '/' .. lease or queue) == 0 then
    local mine = redis.call('HMGET', hold, 'lease', 'chosen', 'counter', 'names', 'repaired', 'attempt', 'bound')
    if mine[1] == lease and (mine[4] or '') == '' then
      -- This comes first: a primary whose memory is full accepts any write from a script that has freed something.
      redis.call('DEL', hold)
      if mine[7] then redis.call('HDEL', mine[7], lease) end
      if is_listed then redis.call('ZREM', KEYS[4 + #optional], name) end
      local known, max = counter_and_max(KEYS[2], KEYS[3], name)
      issue(KEYS[2], name, math.max(known, tonumber(mine[3])) + 1, max)
      if always == '1' or mine[2] == '1' or mine[5] then redis.call('SET', KEYS[4], kind, 'PX', tombstone_ms) end
      return { 1, mine[6] or '' }
    end
  end
end
