-- Gives a primary the holds of a lease that it lacks, after a majority extended it: a restart must not wear a lease
-- down. It is no vote of that renewal.
--   arg(1)  fencing token of the lease    arg(2)  time to live, ms    arg(3)  owner    arg(4)  metadata
--   arg(5)  '1' when the caller chose the leaseId, else ''    arg(6)  revision of the metadata, or ''
--   arg(7)  what the lease is for    arg(8)  limit of the semaphore, or ''
-- Returns {1} when it has them all now; {0}: somebody had a name since, or the lease was ended here.
-- Needs: leases

local token, ttl, time = tonumber(arg(1)), tonumber(arg(2)), now()
if redis.call('EXISTS', KEYS[4]) == 1 then return { 0 } end
for i = 1, names do
  if is_mine(i) then
    if tonumber(redis.call('HGET', own(i), 'g')) > token then return { 0 } end
  elseif blocker(i) or eff(KEYS[2], KEYS[3], field(i)) > token then
    return { 0 }
  end
end
for i = 1, names do
  if not is_mine(i) then
    local _, max = highest()
    take(i, token, max, time, ttl, arg(3), arg(4), arg(5), 'repaired', 1)
    redis.call('HSET', own(i), 'revision', arg(6))
  end
end
keep(KEYS[5], mode .. ' ' .. arg(7), ttl)
keep(KEYS[6], arg(8), ttl)
note_slots(time, ttl, 'GT')
if KEYS[6] ~= KEYS[1] then
  -- A slot from before the limit was lowered has to be found above it again.
  local limit, highest_slot = limits()
  for i = 1, names do
    local _, slot = slot_of(hold(i), field(i))
    highest_slot = math.max(highest_slot, tonumber(slot))
  end
  redis.call('SET', KEYS[6], limit .. '/' .. highest_slot, 'PX', math.max(1, redis.call('PTTL', KEYS[6])))
end
mark_lease(time, ttl)
return { 1 }
