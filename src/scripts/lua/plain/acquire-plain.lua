-- The plain path of acquire-lease.lua, with the keys and arguments that leases.lua describes: an exclusive lease of one
-- name, which is free or another's, for a request that does not wait.
-- Needs: counters, holds

local mode, names, optional, name, ticket = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[16]
local is_listed, is_unlisted = optional == 'ah' or optional == 'fah', optional == 'a' or optional == 'fa'
if mode == 'exclusive' and names == '1' and (is_listed or is_unlisted) and not ticket
  and string.sub(name, 1, 7) ~= 'permit/' and tonumber(fence[3] or 0) == 0 then
  local lease = ARGV[3]
  local nonce, attempt_number, ttl, owner, metadata, chosen, fingerprint = unpack(ARGV, 8, 14)
  local counters, older_counters, lease_tombstone, key = unpack(KEYS, 2, 5)
  local hold, queue = unpack(KEYS, 5 + #optional)
  local fingerprint_key = fingerprint ~= '' and key or nil
  local attempt_tombstone = fingerprint_key and KEYS[6] or key
  local found = redis.call('EXISTS', hold, lease_tombstone, attempt_tombstone, hold .. '/readers', queue,
    fingerprint_key or lease_tombstone)
  if found == 0 then
    local time = now()
    local counter, max = counter_and_max(counters, older_counters, name)
    -- A writer's counter is even.
    counter = counter + 2 - counter % 2
    local text = issue(counters, name, counter, max)
    redis.call('HSET', hold, 'g', text, 'counter', text, 'since', int(time), 'lease', lease, 'mode', mode, 'owner', owner,
      'metadata', metadata, 'chosen', chosen, 'names', '', 'nonce:' .. nonce, attempt_number,
      'attempt', nonce .. '/' .. attempt_number)
    if is_listed then redis.call('ZADD', KEYS[4 + #optional], 0, name) end
    redis.call('PEXPIRE', hold, ttl)
    if fingerprint_key then redis.call('SET', fingerprint_key, 'exclusive ' .. fingerprint, 'PX', ttl) end
    mark_lease(time, tonumber(ttl))
    return { 1, text }
  end
  -- The one that exists may be the hold.
  local holder = found == 1 and redis.call('HGET', hold, 'lease')
  if holder and holder ~= lease then return { 0, 'held', 0, unpack(describe(hold)) } end
end
