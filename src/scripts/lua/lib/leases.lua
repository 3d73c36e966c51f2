-- Follows the prelude, for the scripts of leases: names and holds. The queues of waiters are in queues.lua.
--   KEYS[2]  counters, current generation (hash)   KEYS[3]  counters, older generation (hash)
--   KEYS[4]  tombstone of the lease
--   KEYS[5 ...]  the optional keys of ARGV[6], in this order; then the hold of each name (hash), which is a writer's; those of
--                readers are beside it, in {hold}/readers (sorted set) and {hold}/{leaseId} (hash); then the queues (sorted sets)
--   ARGV[2]  prefix of the keys of waiters: lease/{leaseId} (hash, see `join`), instance/{id}, and the channel wake/{id}
--   ARGV[3]  leaseId    ARGV[4]  mode: 'exclusive', 'shared', or '' for the mode that it has here
--   ARGV[5]  number of names
--   ARGV[6]  which optional keys are given, by letters: f  fingerprint of the lease, if its caller chose its id;
--            l  limit of the semaphore; a  tombstone of the attempt; h  held names (sorted set)
--   ARGV[7 ...]  counter field of each name; then the script's own arguments: `args()`, in the headers of the scripts arg(1) ...
-- The slots of a semaphore have an index beside their holds: {holds}slots and {holds}of/{leaseId}, see `note_slots`.
-- A primary grants all names of a lease or none, with one counter for all of them: even for a writer, odd for readers.
-- Needs: counters, holds, limits

local base, lease, mode, names, optional = unpack(ARGV, 2, 6)
local counters, older_counters, lease_tombstone = unpack(KEYS, 2, 4)
names = tonumber(names)

local first_hold = 5
local function optional_key(letter)
  if not string.find(optional, letter, 1, true) then return nil end
  first_hold = first_hold + 1
  return KEYS[first_hold - 1]
end
local fingerprint_key, limit_key = optional_key('f'), optional_key('l')
local attempt_tombstone, held_names = optional_key('a'), optional_key('h')
local first_queue = first_hold + names

local function args() return unpack(ARGV, 7 + names) end
local function field(i) return ARGV[6 + i] end
local function hold(i) return KEYS[first_hold - 1 + i] end
local function readers(i) return hold(i) .. '/readers' end

if mode == '' then
  -- By any of the names: one may be missing here.
  local as_reader = {}
  for i = 1, names do as_reader[i] = hold(i) .. '/' .. lease end
  mode = names > 0 and redis.call('EXISTS', unpack(as_reader)) > 0 and 'shared' or 'exclusive'
end
local shared = mode == 'shared'
local me = (shared and 'r' or 'w') .. lease

local function own(i) return shared and hold(i) .. '/' .. lease or hold(i) end
local function is_mine(i) return redis.call('HGET', own(i), 'lease') == lease end

local function counter_of(i) return (counter_and_max(counters, older_counters, field(i))) end

-- The smallest counter, not below the given one, that a grant to a reader (`readers_too`) or to a writer may have.
local function lift_for(readers_too, counter)
  return counter % 2 == (readers_too and 1 or 0) and counter or counter + 1
end

local function lift(counter) return lift_for(shared, counter) end

-- The highest counter of the names, and that of the current generation.
local function highest()
  local top, max = 0, 0
  for i = 1, names do
    local counter
    counter, max = counter_and_max(counters, older_counters, field(i))
    top = math.max(top, counter)
  end
  return top, max
end

-- The hold of the reader of a name with the longest time left, or nil. The holds decide; the set of readers only says where
-- they are, and its expired entries are removed here.
local function reader_of(key)
  local set = key .. '/readers'
  while true do
    local last = redis.call('ZRANGE', set, -1, -1, 'WITHSCORES')
    if not last[1] then return nil end
    local own = key .. '/' .. last[1]
    if redis.call('EXISTS', own) == 1 then return own end
    redis.call('ZREM', set, last[1])
    if tonumber(last[2]) <= now() then redis.call('ZREMRANGEBYSCORE', set, '-inf', last[2]) end
  end
end

-- The hold of another lease that keeps this one out, or nil.
local function blocker(i)
  local holder = redis.call('HGET', hold(i), 'lease')
  if holder and holder ~= lease then return hold(i) end
  return not shared and reader_of(hold(i)) or nil
end

-- A late message never shortens a hold.
local function extend(i, time, ttl)
  if redis.call('PTTL', own(i)) < ttl then redis.call('PEXPIRE', own(i), ttl) end
  if not shared then return end
  redis.call('ZADD', readers(i), 'GT', time + ttl, lease)
  if redis.call('PTTL', readers(i)) < ttl then redis.call('PEXPIRE', readers(i), ttl) end
end

-- Keeps the conditions of a grant for as long as the lease lives: its fingerprint, and the limit of its semaphore.
local function keep(key, value, ttl)
  if not key then return end
  redis.call('SET', key, value, 'NX', 'PX', ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end

local function limits() return read_limit(limit_key) end

local function write_limit(limit, highest_slot)
  redis.call('SET', limit_key, stored_limit(limit, highest_slot), 'PX', math.max(1, redis.call('PTTL', limit_key)))
end

-- The hold of a slot above the limit, or nil. No lease is granted such a slot any more: once free, it need not be examined
-- again.
local function above_limit(holds, limit, highest_slot)
  local slot = highest_slot
  while slot > limit and redis.call('EXISTS', holds .. slot) == 0 do slot = slot - 1 end
  if slot < highest_slot then write_limit(limit, slot) end
  return slot > limit and holds .. slot or nil
end

-- For the hold of a permit, `permit/pool/7`: the prefix of all holds of its semaphore, and the slot. For other holds: nil.
local function slot_of(key, name)
  if string.sub(name, 1, 7) == 'permit/' then return string.match(key, '^(.*/)(%d+)$') end
end

-- Notes in the index that this lease has its slots until `time` + `ttl`; with 'GT': or longer. The index only says
-- where to look: a service instance of an earlier version does not write it, so holds decide (find-slots.lua).
--   {holds}slots          score of a slot: its number if it is free, else the time when its hold ends, ms since 1970
--   {holds}of/{leaseId}   slots of a lease
local function note_slots(time, ttl, ...)
  local holds = names > 0 and slot_of(hold(1), field(1))
  if not holds then return end
  local ends, own_slots = { ... }, {}
  for i = 1, names do
    local _, slot = slot_of(hold(i), field(i))
    ends[#ends + 1], own_slots[#own_slots + 1] = int(time + ttl), slot
    ends[#ends + 1], own_slots[#own_slots + 1] = slot, slot
  end
  redis.call('ZADD', holds .. 'slots', unpack(ends))
  redis.call('ZADD', holds .. 'of/' .. lease, unpack(own_slots))
  for _, key in ipairs({ holds .. 'slots', holds .. 'of/' .. lease }) do
    if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
  end
end

-- All names of this lease, as its holds store them if there are several: a lease is released, and broken, as a whole.
local function all_names() return names > 1 and table.concat(ARGV, '\n', 7, 6 + names) or '' end

-- The hold of any name of the same kind.
local function hold_of(name) return string.sub(hold(1), 1, -1 - #field(1)) .. name end

-- The fields of a hold for an attempt: the latest attempt of each request that has the hold, and the latest of all.
local function by(nonce, attempt_number)
  return 'nonce:' .. nonce, attempt_number, 'attempt', nonce .. '/' .. attempt_number
end

-- A tombstone of a lease is stored as 'released', or as 'broken' and the reason on a line of its own.
local function tombstone_of(kind, reason) return kind == 'broken' and 'broken\n' .. reason or kind end

local function how_ended(tombstone)
  local reason = string.match(tombstone, '^broken\n(.*)$')
  if reason then return 'broken', reason end
  return 'released'
end

-- Writes a hold. `max`: highest counter of the current generation. Further arguments: more fields and their values.
local function put(key, name, counter, max, time, ...)
  -- The hold stores the counter too: the name's own may be replaced by a floor above it while a lease is renewed for days.
  local text = issue(counters, name, counter, max)
  redis.call('HSET', key, 'g', text, 'counter', text, 'since', int(time), ...)
  if held_names then redis.call('ZADD', held_names, 0, name) end
end

-- Takes a name. Further arguments: fields for the origin of the hold: `by(...)`, or 'repaired', 1.
local function take(i, counter, max, time, ttl, owner, metadata, chosen, ...)
  put(own(i), field(i), counter, max, time, 'lease', lease, 'mode', mode, 'owner', owner, 'metadata', metadata,
    'chosen', chosen, 'names', all_names(), ...)
  if shared then extend(i, time, ttl) else redis.call('PEXPIRE', own(i), ttl) end
end

local function free(key, name)
  redis.call('DEL', key)
  if shared then redis.call('ZREM', hold_of(name) .. '/readers', lease) end
  local holds, slot = slot_of(key, name)
  if holds then
    redis.call('ZADD', holds .. 'slots', 'XX', slot, slot)
    redis.call('ZREM', holds .. 'of/' .. lease, slot)
  end
  -- Other readers may be left; once there are none, the sweep (sweep-held.lua) finds the name.
  if held_names and not shared then redis.call('ZREM', held_names, name) end
end

-- Takes back the holds of a request, of one attempt or of any (nil). Frees those that no other request for the lease has
-- and no renewal has counted. Returns whether any was freed.
local function give_back(nonce, attempt_number)
  local freed = false
  for i = 1, names do
    local had = redis.call('HGET', own(i), 'nonce:' .. nonce)
    if had and had == (attempt_number or had) then
      redis.call('HDEL', own(i), 'nonce:' .. nonce)
      local other = false
      for _, name in ipairs(redis.call('HKEYS', own(i))) do
        other = other or name == 'kept' or string.sub(name, 1, 6) == 'nonce:'
      end
      if not other then
        free(own(i), field(i))
        freed = true
      end
    end
  end
  return freed
end
