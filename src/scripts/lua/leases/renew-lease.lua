-- Extends a lease. Without the condition on its counter at the grant, an old holder's renewal could succeed after
-- a newer commit.
--   arg(1)  fencing token of the lease    arg(2)  time to live, ms
--   arg(3)  idempotency fingerprint of a leaseId that the caller chose, or ''    arg(4)  limit of the semaphore, or ''
-- Returns {1, mode, owner, metadata, chosen, revision}: extended (never shortened);
-- {0, 'missing'}: this primary lacks a hold, and nobody has had the name since: it may be repaired;
-- {0, 'ended', 'released'}; {0, 'ended', 'broken', reason}; {0, 'taken', counter}: another lease has, or had,
-- a name; {0, 'forgotten'}: this primary lacks a hold, and forgot the counters up to one above the token: nobody
-- is known to have had a name since, but somebody may have; {0, 'regranted'}: held by this lease since a later grant than the
-- token's; {0, 'mismatch'}: the lease has more names, or fewer.
-- Plain path: renew-plain
-- Needs: leases

local token, ttl, fingerprint, permits = args()
token, ttl = tonumber(token), tonumber(ttl)
local time = now()
local tombstone = redis.call('GET', lease_tombstone)
if tombstone then return { 0, 'ended', how_ended(tombstone) } end
local missing, forgotten = false, false
for i = 1, names do
  local mine = redis.call('HMGET', own(i), 'lease', 'g', 'names')
  if mine[1] == lease then
    if tonumber(mine[2]) > token then return { 0, 'regranted' } end
    if mine[3] ~= all_names() then return { 0, 'mismatch' } end
  else
    local other = blocker(i)
    if other then return { 0, 'taken', redis.call('HGET', other, 'counter') } end
    local counter = counter_of(i)
    -- A writer's release leaves an odd counter, which otherwise only a reader's grant could leave.
    if counter == token + 1 and counter % 2 == 1 then return { 0, 'ended', 'released' } end
    -- A floor stands for forgotten counters: a floor above the token does not prove that anybody was granted the name.
    local known = redis.call('HGET', counters, field(i)) or redis.call('HGET', older_counters, field(i))
    if tonumber(known or 0) > token then return { 0, 'taken', int(counter) } end
    forgotten = forgotten or counter > token
    missing = true
  end
end
if forgotten then return { 0, 'forgotten' } end
if missing then return { 0, 'missing' } end
for i = 1, names do
  extend(i, time, ttl)
  -- From now on a renewal relies on this hold: the clean-up of an abandoned attempt must not free it.
  redis.call('HSET', own(i), 'kept', 1)
end
note_slots(time, ttl, 'GT')
keep(fingerprint_key, mode .. ' ' .. fingerprint, ttl)
keep(limit_key, stored_limit(permits), ttl)
mark_lease(time, ttl)
local held = redis.call('HMGET', own(1), 'owner', 'metadata', 'chosen', 'revision')
return { 1, mode, held[1], held[2], held[3], held[4] or '' }
