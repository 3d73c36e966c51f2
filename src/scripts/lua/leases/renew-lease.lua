-- Extends a lease. Without the condition on the counter at its grant, an old holder's renewal could succeed after
-- a newer commit.
--   arg(1)  fencing token of the lease    arg(2)  time to live, ms
--   arg(3)  what the lease is for           arg(4)  limit of the semaphore, or ''
-- Returns {1, mode, owner, metadata, chosen, revision}: extended (never shortened);
-- {0, 'missing'}: this primary lacks a hold and nobody had the name since: it may be repaired;
-- {0, 'gone', 'released' or 'broken' and, in a line of its own, why}; {0, 'taken', counter}: another lease has, or had,
-- a name; {0, 'forgotten'}: this primary lacks a hold, and the counters up to one above the token: nobody is known to
-- have had a name since, but somebody may have; {0, 'regranted'}: held by this lease since a later grant than the
-- token's; {0, 'other'}: the lease has other names as well, or fewer.
-- Needs: leases

local token, ttl, time = tonumber(arg(1)), tonumber(arg(2)), now()
local gone = redis.call('GET', KEYS[4])
if gone then return { 0, 'gone', gone } end
local missing, forgotten = false, false
for i = 1, names do
  local mine = redis.call('HMGET', own(i), 'lease', 'g', 'names')
  if mine[1] == lease then
    if tonumber(mine[2]) > token then return { 0, 'regranted' } end
    if mine[3] ~= all_names() then return { 0, 'other' } end
  else
    local other = blocker(i)
    if other then return { 0, 'taken', redis.call('HGET', other, 'counter') } end
    local counter = eff(KEYS[2], KEYS[3], field(i))
    -- A writer's release counts one up, to where only readers are granted.
    if counter == token + 1 and counter % 2 == 1 then return { 0, 'gone', 'released' } end
    -- A floor stands for counters that are forgotten: above the token it tells of nobody who was granted one.
    local known = redis.call('HGET', KEYS[2], field(i)) or redis.call('HGET', KEYS[3], field(i))
    if tonumber(known or 0) > token then return { 0, 'taken', int(counter) } end
    forgotten = forgotten or counter > token
    missing = true
  end
end
if forgotten then return { 0, 'forgotten' } end
if missing then return { 0, 'missing' } end
for i = 1, names do
  extend(i, time, ttl)
  -- From now on it is more than what an attempt asked for: the clean-up of one that gives up must not free it.
  redis.call('HSET', own(i), 'kept', 1)
end
note_slots(time, ttl, 'GT')
keep(KEYS[5], mode .. ' ' .. arg(3), ttl)
keep(KEYS[6], arg(4), ttl)
mark_lease(time, ttl)
local held = redis.call('HMGET', own(1), 'owner', 'metadata', 'chosen', 'revision')
return { 1, mode, held[1], held[2], held[3], held[4] or '' }
