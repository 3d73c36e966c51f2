-- Votes for one attempt to take a lease: takes all its names when they are free and it is its turn, repeats the vote
-- when the lease has them already. One that waits takes its place in the lines first.
--   arg(1)  nonce of the request     arg(2)  turn: the number of the attempt among those of the request
--   arg(3)  time to live, ms         arg(4)  owner, a label for others
--   arg(5)  metadata, JSON           arg(6)  '1' when the caller chose the leaseId, else ''
--   arg(7)  what the lease is for    arg(8)  limit of the semaphore, or ''
-- and for one that waits:
--   arg(9)  ticket    arg(10)  service instance that waits    arg(11) how long its place is kept, ms
--   arg(12) '1' where the name may be handed on to it, in the turn after this one, when it is free; else ''
-- Returns {1, counter}: granted; {0, 'held', how many wait before it, hold as `describe` has it}: another lease is in
-- the way; {0, 'queued', how many wait before it}; {0, 'gone'}: the lease was released, or the attempt given up;
-- {0, 'other'}: the leaseId is for something else; {0, 'limit', limit}: the semaphore has another one;
-- {0, 'quarantined', ms}: this primary came back without its data and grants no new lease for so long.
-- Needs: leases, queues

-- One look at all that is mostly not there.
local seldom = { KEYS[4], KEYS[7] }
if KEYS[5] ~= KEYS[1] then seldom[3] = KEYS[5] end
for i = 1, names do seldom[#seldom + 1] = readers(i) end
for i = lines, #KEYS do seldom[#seldom + 1] = KEYS[i] end
local plain = not arg(9) and redis.call('EXISTS', unpack(seldom)) == 0

local purpose = mode .. ' ' .. arg(7)
if not plain then
  if redis.call('EXISTS', KEYS[4], KEYS[7]) > 0 then return { 0, 'gone' } end
  if KEYS[5] ~= KEYS[1] and (redis.call('GET', KEYS[5]) or purpose) ~= purpose then return { 0, 'other' } end
end
local limit, highest_slot
if KEYS[6] ~= KEYS[1] then
  limit, highest_slot = limits()
  if limit and limit ~= tonumber(string.match(arg(8), '^%d+')) then return { 0, 'limit', limit } end
end

if arg(9) then
  local offer = arg(12) == '1' and { 'hold', hold(1), 'name', field(1), 'ttl', arg(3), 'metadata', arg(5), 'chosen', arg(6),
    'purpose_key', KEYS[5], 'purpose', purpose } or { 'hold', '' }
  join(arg(9), arg(10), tonumber(arg(11)), arg(4), arg(1), arg(2), unpack(offer))
end

local time, ttl = now(), tonumber(arg(3))
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

-- A limit that was lowered begins when what was granted above it has ended.
if limit and held < names and highest_slot > limit then
  local over = above_limit(slot_of(hold(1), field(1)), limit, highest_slot)
  if over then return { 0, 'held', ahead(), unpack(describe(over)) } end
end

if held == names then
  for i = 1, names do
    local turn = redis.call('HGET', own(i), 'nonce:' .. arg(1))
    if not turn or tonumber(turn) < tonumber(arg(2)) then redis.call('HSET', own(i), by(arg(1), arg(2))) end
    if arg(6) == '1' then redis.call('HSET', own(i), 'chosen', '1') end
    extend(i, time, ttl)
  end
  note_slots(time, ttl, 'GT')
else
  local quarantine = tonumber(fence[3] or 0) - time
  if quarantine > 0 then return { 0, 'quarantined', quarantine } end
  -- It is over for good: a clock that is set back later must not bring it back.
  if tonumber(fence[3] or 0) > 0 then redis.call('HSET', KEYS[1], 'quarantine_until', 0) end
  local before = plain and 0 or ahead()
  if before > 0 then
    -- Too many of the dead stood before it for one script: it should ask again at once.
    if is_cut and arg(9) then publish(arg(10), lease) end
    return { 0, 'queued', before }
  end
  local top, max = highest()
  -- Above what a reader has, only the first of them moves it.
  counter = lift(top + (shared and 0 or 1))
  for i = 1, names do
    -- What another attempt of this lease has here already stays its own, too.
    take(i, counter, max, time, ttl, arg(4), arg(5), arg(6), by(arg(1), arg(2)))
    max = counter
  end
  note_slots(time, ttl)
end
keep(KEYS[5], purpose, ttl)
keep(KEYS[6], arg(8), ttl)
mark_lease(time, ttl)
return { 1, int(counter) }
