-- Finds slots of a semaphore: those that a lease holds here, and free ones that it can ask for. The index beside the slots
-- (leases.lua) says where to look; the holds decide, and a wrong entry of the index is corrected.
--   arg(1)  prefix of the holds of its slots    arg(2)  number of slots, according to the caller
--   arg(3)  number of free slots wanted; 0: only the lease's own    arg(4)  slot at which the search for them begins
-- Returns {limit or '', '1' where a slot above the limit is held, '1' where its id was used before, '1' where slots are
-- free perhaps that were not looked at, {slot of this lease ...}, {free slot ...}, {taken slot, the soonest to end first ...}}:
-- taken slots only if too few are free.
-- Needs: leases

local holds, permits, wanted, start = args()
-- A bound between slot numbers, which are lower, and times, which are higher.
local TAKEN = '(1000000'
-- Slots whose holds are examined in one call: some tenths of a millisecond.
local LOOKS_MAX, ENDED_MAX = 200, 100
-- How many more than wanted are returned, since others may be asking for the same; and how many are examined first.
local SPARE, FIRST = 8, 16

permits, wanted, start = tonumber(permits), tonumber(wanted), tonumber(start)
local slots, time, looks = holds .. 'slots', now(), 0
local mine, free, taken, seen = {}, {}, {}, {}
local most, more = wanted + SPARE, false

local function note(left, ...)
  redis.call('ZADD', slots, ...)
  if redis.call('PTTL', slots) < left then redis.call('PEXPIRE', slots, left) end
end

-- Examines the hold of a slot, and corrects the index where it says otherwise (`noted`). Returns whether the slot is free.
local function look(slot, noted)
  seen[slot], looks = true, looks + 1
  local left = redis.call('PTTL', holds .. slot)
  local is_free = left < 0
  if is_free and noted ~= 'free' then note(left, 'XX', slot, slot) end
  if not is_free and noted ~= 'taken' then note(left, int(time + math.max(left, 1)), slot) end
  return is_free
end

-- Adds those of the candidates, noted as free or not at all, that are in fact free.
local function add(candidates)
  local keys = {}
  for _, slot in ipairs(candidates) do
    if not seen[slot] and #free + #keys < most then keys[#keys + 1] = holds .. slot end
  end
  local none_held = #keys > 0 and redis.call('EXISTS', unpack(keys)) == 0
  for _, slot in ipairs(candidates) do
    if #free == most or looks >= LOOKS_MAX then return end
    if not seen[slot] and (none_held or look(slot, 'free')) then
      seen[slot] = true
      free[#free + 1] = slot
    end
  end
end

-- Slots that were never held need not be in the index.
local function add_first()
  local block = {}
  for i = 0, math.min(math.max(most, FIRST), permits) - 1 do block[i + 1] = (start - 1 + i) % permits + 1 end
  local candidates = {}
  for i, score in ipairs(redis.call('ZMSCORE', slots, unpack(block))) do
    if not score or tonumber(score) == block[i] then candidates[#candidates + 1] = block[i] end
  end
  add(candidates)
  return #block
end

local function add_noted()
  for _, range in ipairs({ { start, permits }, { 1, start - 1 } }) do
    local from = range[1]
    while #free < most and looks < LOOKS_MAX and from <= range[2] do
      local found = redis.call('ZRANGEBYSCORE', slots, from, range[2], 'LIMIT', 0, most)
      for i, slot in ipairs(found) do found[i] = tonumber(slot) end
      add(found)
      from = #found == most and found[most] + 1 or permits + 1
    end
  end
end

-- Notes every slot that is not in the index as free; this is done once.
local function note_all()
  local noted = -tonumber(redis.call('ZSCORE', slots, 'noted') or 0)
  if noted >= permits then return false end
  local all = {}
  for slot = noted + 1, permits do all[#all + 1], all[#all + 2] = slot, slot end
  note(1, 'NX', unpack(all))
  note(1, -permits, 'noted')
  return true
end

-- Examines some slots that are noted as taken, and more for as long as some of them are free.
local function doubt()
  local others = redis.call('ZCOUNT', slots, TAKEN, '+inf')
  local last = redis.call('ZCARD', slots) - 1 - (others > 0 and start % others or 0)
  while last >= 0 and #free < most and looks < LOOKS_MAX do
    local doubted, keys = {}, {}
    for _, slot in ipairs(redis.call('ZRANGE', slots, math.max(0, last - 7), last)) do
      slot = tonumber(slot)
      if slot and slot <= permits and not seen[slot] then
        doubted[#doubted + 1], keys[#keys + 1] = slot, holds .. slot
      end
    end
    if #keys == 0 or redis.call('EXISTS', unpack(keys)) == #keys then return end
    for _, slot in ipairs(doubted) do
      if look(slot, 'taken') then free[#free + 1] = slot end
    end
  end
end

local limit, highest_slot = limits()
local above = limit and highest_slot > limit and above_limit(holds, limit, highest_slot)
for _, slot in ipairs(redis.call('ZRANGE', holds .. 'of/' .. lease, 0, -1)) do
  if redis.call('HGET', holds .. slot, 'lease') == lease then mine[#mine + 1] = tonumber(slot) end
end
if wanted > 0 then
  -- Slots whose holds have expired.
  local ended = redis.call('ZRANGEBYSCORE', slots, TAKEN, time, 'LIMIT', 0, ENDED_MAX)
  for _, slot in ipairs(ended) do look(tonumber(slot), 'ended') end
  looks, seen, more = 0, {}, #ended == ENDED_MAX
  if add_first() < permits and #free < most then
    add_noted()
    if #free < wanted and note_all() then add_noted() end
  end
  if #free < wanted then
    doubt()
    taken = redis.call('ZRANGEBYSCORE', slots, TAKEN, '+inf', 'LIMIT', 0, wanted + #mine)
    for i, slot in ipairs(taken) do taken[i] = tonumber(slot) end
  end
end
local used = fingerprint_key and redis.call('EXISTS', fingerprint_key) == 1
local function flag(is_so) return is_so and '1' or '' end
return { limit or '', flag(above), flag(used), flag(#free < wanted and (more or looks >= LOOKS_MAX)), mine, free, taken }
