-- Votes on one attempt to acquire a lease: takes all its names if they are free and no waiter is ahead of it, and repeats
-- the vote if the lease holds them already. A request that waits enters the queues first.
--   arg(1)  nonce of the request     arg(2)  number of the attempt within the request
--   arg(3)  time to live, ms         arg(4)  owner, a label shown to others
--   arg(5)  metadata, JSON           arg(6)  '1' when the caller chose the leaseId, else ''
--   arg(7)  idempotency fingerprint of a leaseId that the caller chose, or ''    arg(8)  limit of the semaphore, or ''
-- and for a request that waits:
--   arg(9)  ticket    arg(10)  service instance at which it waits    arg(11)  how long its entries are kept, ms
--   arg(12) '1' when the name may be handed off to it after this attempt, else ''
-- Returns {1, counter}: granted; {0, 'held', how many wait before it, hold as `describe` has it}: another lease is in
-- its way; {0, 'queued', how many wait before it}; {0, 'ended'}: the lease was released, or the attempt abandoned;
-- {0, 'mismatch'}: the leaseId has another fingerprint; {0, 'limit', limit}: the semaphore has another limit;
-- {0, 'quarantined', ms}: this primary came back without its data and grants no new lease for that long.
-- Plain path: acquire-plain
-- Needs: leases, queues

local nonce, attempt_number, ttl, owner, metadata, chosen,
  fingerprint, permits, ticket, instance, kept, accepts_handoff = args()
ttl = tonumber(ttl)
-- One lookup of all the keys that usually do not exist.
local seldom = { lease_tombstone, attempt_tombstone, fingerprint_key }
for i = 1, names do seldom[#seldom + 1] = readers(i) end
for i = first_queue, #KEYS do seldom[#seldom + 1] = KEYS[i] end
local plain = not ticket and redis.call('EXISTS', unpack(seldom)) == 0

local full_fingerprint = mode .. ' ' .. fingerprint
if not plain then
  if redis.call('EXISTS', lease_tombstone, attempt_tombstone) > 0 then return { 0, 'ended' } end
  if fingerprint_key and (redis.call('GET', fingerprint_key) or full_fingerprint) ~= full_fingerprint then return { 0, 'mismatch' } end
end
local limit, highest_slot
if limit_key then
  limit, highest_slot = limits()
  if limit and limit ~= tonumber(permits) then return { 0, 'limit', limit } end
end

if ticket then
  local offer = accepts_handoff == '1' and { 'hold', hold(1), 'name', field(1), 'ttl', int(ttl), 'metadata', metadata, 'chosen', chosen,
    'purpose_key', fingerprint_key or KEYS[1], 'purpose', full_fingerprint } or { 'hold', '' }
  join(ticket, instance, tonumber(kept), owner, nonce, attempt_number, unpack(offer))
end

local time = now()
local held, counter = 0, 0
for i = 1, names do
  local mine = redis.call('HMGET', own(i), 'lease', 'counter')
  if mine[1] == lease then
    held, counter = held + 1, math.max(counter, tonumber(mine[2]))
  else
    local other = (mine[1] or shared or not plain) and blocker(i)
    if other then return { 0, 'held', plain and 0 or ahead(), unpack(describe(other)) } end
  end
end

-- A lowered limit takes effect once the permits above it have ended.
if limit and held < names and highest_slot > limit then
  local over = above_limit(slot_of(hold(1), field(1)), limit, highest_slot)
  if over then return { 0, 'held', ahead(), unpack(describe(over)) } end
end

if held == names then
  for i = 1, names do
    local known = redis.call('HGET', own(i), 'nonce:' .. nonce)
    if not known or tonumber(known) < tonumber(attempt_number) then redis.call('HSET', own(i), by(nonce, attempt_number)) end
    if chosen == '1' then redis.call('HSET', own(i), 'chosen', '1') end
    extend(i, time, ttl)
  end
  note_slots(time, ttl, 'GT')
else
  local quarantine = tonumber(fence[3] or 0) - time
  if quarantine > 0 then return { 0, 'quarantined', quarantine } end
  -- The quarantine is over for good: a clock that is set back later must not revive it.
  if tonumber(fence[3] or 0) > 0 then
    redis.call('HSET', KEYS[1], 'quarantine_until', 0)
    fence[3] = '0'
  end
  local before = plain and 0 or ahead()
  if before > 0 then
    -- More entries of dead instances were ahead of it than one script removes: it should ask again at once.
    if is_cut and ticket then publish(instance, lease) end
    return { 0, 'queued', before }
  end
  local top, max = highest()
  -- Only the first reader raises the counter.
  counter = lift(top + (shared and 0 or 1))
  for i = 1, names do
    -- A hold that another attempt of this lease has here already also stays that attempt's.
    take(i, counter, max, time, ttl, owner, metadata, chosen, by(nonce, attempt_number))
    max = counter
  end
  note_slots(time, ttl)
end
keep(fingerprint_key, full_fingerprint, ttl)
keep(limit_key, stored_limit(permits), ttl)
mark_lease(time, ttl)
return { 1, int(counter) }
