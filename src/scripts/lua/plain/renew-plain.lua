-- An exclusive lease of one name that is held here, under an id that the service made.
-- Needs: counters

local lease, mode, names, optional, name, token, ttl = unpack(ARGV, 3)
if mode ~= 'shared' and names == '1' and (optional == 'h' or optional == '') and string.sub(name, 1, 7) ~= 'permit/' then
  local hold = KEYS[optional == 'h' and 6 or 5]
  -- Without a mode it may be a reader's.
  if redis.call('EXISTS', KEYS[4], mode == '' and hold .. '/' .. lease or KEYS[4]) == 0 then
    local mine = redis.call('HMGET', hold, 'lease', 'g', 'names', 'kept', 'owner', 'metadata', 'chosen', 'revision')
    if mine[1] == lease and tonumber(mine[2]) <= tonumber(token) and mine[3] == '' then
      if redis.call('PTTL', hold) < tonumber(ttl) then redis.call('PEXPIRE', hold, ttl) end
      if not mine[4] then redis.call('HSET', hold, 'kept', '1') end
      mark_lease(now(), tonumber(ttl))
      return { 1, 'exclusive', mine[5], mine[6], mine[7], mine[8] or '' }
    end
  end
end
