-- An exclusive lease of one name that is free, for a request that does not wait.
-- Leaves to acquire-lease.lua: chosen ids with a fingerprint, semaphores, queues, readers, quarantine.
-- Needs: counters

local lease, mode, names, optional, name, nonce, attempt_number, ttl, owner, metadata, chosen, _, _, ticket = unpack(ARGV, 3)
if mode == 'exclusive' and names == '1' and (optional == 'ah' or optional == 'a') and not ticket
  and string.sub(name, 1, 7) ~= 'permit/' and tonumber(fence[3] or 0) == 0 then
  local counters, older_counters, lease_tombstone, attempt_tombstone = unpack(KEYS, 2, 5)
  local hold, queue = unpack(KEYS, optional == 'ah' and 7 or 6)
  if redis.call('EXISTS', hold, lease_tombstone, attempt_tombstone, hold .. '/readers', queue) == 0 then
    local time = now()
    local counter, max = counter_and_max(counters, older_counters, name)
    -- A writer's counter is even.
    counter = counter + 2 - counter % 2
    local text = issue(counters, name, counter, max)
    redis.call('HSET', hold, 'g', text, 'counter', text, 'since', int(time), 'lease', lease, 'mode', mode, 'owner', owner,
      'metadata', metadata, 'chosen', chosen, 'names', '', 'nonce:' .. nonce, attempt_number,
      'attempt', nonce .. '/' .. attempt_number)
    if optional == 'ah' then redis.call('ZADD', KEYS[6], 0, name) end
    redis.call('PEXPIRE', hold, ttl)
    mark_lease(time, tonumber(ttl))
    return { 1, text }
  end
end
