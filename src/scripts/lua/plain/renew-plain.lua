-- The plain path of renew-lease.lua, with the keys and arguments that leases.lua describes: an exclusive lease of one name,
-- which is held here since a grant that the token is for.
-- Needs: counters

local mode, names, optional, name = unpack(ARGV, 4, 7)
local is_listed, is_unlisted = optional == 'h' or optional == 'fh', optional == '' or optional == 'f'
if mode ~= 'shared' and names == '1' and (is_listed or is_unlisted) and string.sub(name, 1, 7) ~= 'permit/' then
  local lease, token, ttl, fingerprint = ARGV[3], ARGV[8], ARGV[9], ARGV[10]
  local lease_tombstone, hold = KEYS[4], KEYS[5 + #optional]
  -- Without a mode it may be a reader's.
  if redis.call('EXISTS', lease_tombstone, mode == '' and hold .. '/' .. lease or lease_tombstone) == 0 then
    local mine = redis.call('HMGET', hold, 'lease', 'g', 'names', 'kept', 'owner', 'metadata', 'chosen', 'revision')
    if mine[1] == lease and tonumber(mine[2]) <= tonumber(token) and mine[3] == '' then
      if redis.call('PTTL', hold) < tonumber(ttl) then redis.call('PEXPIRE', hold, ttl) end
      -- From now on a renewal relies on this hold: the clean-up of an abandoned attempt must not free it.
      if not mine[4] then redis.call('HSET', hold, 'kept', '1') end
      if fingerprint ~= '' then
        redis.call('SET', KEYS[5], 'exclusive ' .. fingerprint, 'NX', 'PX', ttl)
        if redis.call('PTTL', KEYS[5]) < tonumber(ttl) then redis.call('PEXPIRE', KEYS[5], ttl) end
      end
      mark_lease(now(), tonumber(ttl))
      return { 1, 'exclusive', mine[5], mine[6], mine[7], mine[8] or '' }
    end
  end
end
