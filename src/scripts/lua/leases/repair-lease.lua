-- Restores the holds of a lease that this primary lacks, after a majority extended the lease: otherwise restarts would
-- wear it down. A repair is never a vote of that renewal.
--   arg(1)  fencing token of the lease    arg(2)  time to live, ms    arg(3)  owner    arg(4)  metadata
--   arg(5)  '1' when the caller chose the leaseId, else ''    arg(6)  revision of the metadata, or ''
--   arg(7)  idempotency fingerprint of a leaseId that the caller chose, or ''    arg(8)  limit of the semaphore, or ''
-- Returns {1} if it now has them all; {0}: another lease has had a name since, or the lease was ended here.
-- Needs: leases

local token, ttl, owner, metadata, chosen, revision, fingerprint, permits = args()
token, ttl = tonumber(token), tonumber(ttl)
local time = now()
if redis.call('EXISTS', lease_tombstone) == 1 then return { 0 } end
for i = 1, names do
  if is_mine(i) then
    if tonumber(redis.call('HGET', own(i), 'g')) > token then return { 0 } end
  elseif blocker(i) or counter_of(i) > token then
    return { 0 }
  end
end
for i = 1, names do
  if not is_mine(i) then
    local _, max = highest()
    take(i, token, max, time, ttl, owner, metadata, chosen, 'repaired', 1)
    redis.call('HSET', own(i), 'revision', revision)
  end
end
keep(fingerprint_key, mode .. ' ' .. fingerprint, ttl)
keep(limit_key, stored_limit(permits), ttl)
note_slots(time, ttl, 'GT')
if limit_key then
  -- A slot granted before the limit was lowered must again be found above the limit.
  local limit, highest_slot = limits()
  for i = 1, names do
    local _, slot = slot_of(hold(i), field(i))
    highest_slot = math.max(highest_slot, tonumber(slot))
  end
  write_limit(limit, highest_slot)
end
mark_lease(time, ttl)
return { 1 }
