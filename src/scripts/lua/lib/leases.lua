-- Behind the prelude, for the scripts of leases: names and holds. Lines of those who wait: queues.lua.
--   KEYS[2]  counters, current generation (hash)   KEYS[3]  counters, older generation (hash)
--   KEYS[4]  tombstone of the lease                KEYS[5]  what the lease is for, where its caller chose its id
--   KEYS[6]  limit of the semaphore                KEYS[7]  tombstone of the attempt
--   KEYS[8]  names that are held (sorted set)
--   KEYS[9 ...]  hold of each name (hash): of a writer; beside it, in {hold}/readers (sorted set) and
--                {hold}/{leaseId} (hash), of readers; then the lines (sorted sets)
--   ARGV[2]  what the keys of those who wait begin with: lease/{leaseId} (hash, see `join`), instance/{id}, and the
--            channel wake/{id}
--   ARGV[3]  leaseId    ARGV[4]  mode: 'exclusive', 'shared', or '' for the one that it has here
--   ARGV[5]  how many names
--   ARGV[6 ...]  counter field of each name; then the script's own, arg(1) ...
-- KEYS[5] to [8] are KEYS[1] where there is none: '' is a key that a user's rights may not cover.
-- The slots of a semaphore have an index beside their holds: {holds}slots and {holds}of/{leaseId}, see `note_slots`.
-- A primary gives all names of a lease or none, with one counter for all of them: even for a writer, odd for readers.

local base, lease, mode, names = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local lines = 9 + names

local function arg(i) return ARGV[5 + names + i] end
local function field(i) return ARGV[5 + i] end
local function hold(i) return KEYS[8 + i] end
local function readers(i) return hold(i) .. '/readers' end

if mode == '' then
  mode = names > 0 and redis.call('EXISTS', hold(1) .. '/' .. lease) == 1 and 'shared' or 'exclusive'
end
local shared = mode == 'shared'
local me = (shared and 'r' or 'w') .. lease

local function own(i) return shared and hold(i) .. '/' .. lease or hold(i) end
local function is_mine(i) return redis.call('HGET', own(i), 'lease') == lease end

-- The smallest counter from this one on that a grant may have: a writer's, or a reader's.
local function lift_for(readers_too, counter)
  return counter % 2 == (readers_too and 1 or 0) and counter or counter + 1
end

local function lift(counter) return lift_for(shared, counter) end

-- The highest counter of the names, and of the generation.
local function highest()
  local top, max = 0, 0
  for i = 1, names do
    local counter
    counter, max = counter_and_max(KEYS[2], KEYS[3], field(i))
    top = math.max(top, counter)
  end
  return top, max
end

-- The hold of a reader of a name, that of whom holds it longest, or nil. The holds count; the set of readers only tells where they
-- are, and loses here what has ended.
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

-- The hold of another lease that this one cannot stand beside, or nil.
local function blocker(i)
  local holder = redis.call('HGET', hold(i), 'lease')
  if holder and holder ~= lease then return hold(i) end
  return not shared and reader_of(hold(i)) or nil
end

-- {lease digest, time left in ms, mode, owner, metadata, counter at the grant, held for ms, counter, revision}
local function describe(key)
  local held = redis.call('HMGET', key, 'lease', 'mode', 'owner', 'metadata', 'g', 'since', 'counter', 'revision')
  return { redis.sha1hex(held[1]), redis.call('PTTL', key), held[2], held[3], held[4], held[5],
    now() - tonumber(held[6]), held[7], held[8] or '' }
end

-- A late message never shortens a hold.
local function extend(i, time, ttl)
  if redis.call('PTTL', own(i)) < ttl then redis.call('PEXPIRE', own(i), ttl) end
  if not shared then return end
  redis.call('ZADD', readers(i), 'GT', time + ttl, lease)
  if redis.call('PTTL', readers(i)) < ttl then redis.call('PEXPIRE', readers(i), ttl) end
end

-- What the lease stands on lives as long as it: what its id is for, and the limit that it was granted under.
local function keep(key, value, ttl)
  if key == KEYS[1] then return end
  redis.call('SET', key, value, 'NX', 'PX', ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end

-- The limit of a semaphore, and the highest slot that may still be taken from before it was lowered; nil: none is set.
local function limits()
  local stored = redis.call('GET', KEYS[6])
  if not stored then return nil end
  return tonumber(string.match(stored, '^%d+')), tonumber(string.match(stored, '%d+$'))
end

-- The hold of a slot above the limit, or nil. Nobody gets one any more once it was lowered: where they are free, they need
-- not be looked at again.
local function above_limit(holds, limit, highest_slot)
  local slot = highest_slot
  while slot > limit and redis.call('EXISTS', holds .. slot) == 0 do slot = slot - 1 end
  if slot < highest_slot then
    redis.call('SET', KEYS[6], limit .. '/' .. slot, 'PX', math.max(1, redis.call('PTTL', KEYS[6])))
  end
  return slot > limit and holds .. slot or nil
end

-- Slots of a semaphore from their holds, `permit/pool/7`: what the keys of all its holds begin with, and the slot.
local function slot_of(key, name)
  if string.sub(name, 1, 7) == 'permit/' then return string.match(key, '^(.*/)(%d+)$') end
end

-- Notes that this lease has its slots until `time` + `ttl`; with 'GT': or for longer. What is noted only tells where to
-- look: a service instance of an earlier version does not note anything, so holds decide (find-slots.lua).
--   {holds}slots          score of a slot: its number where it is free, the time when it ends, ms since 1970, where not
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

-- All names of this lease, as its holds note them where there are several: it is released, and broken, as a whole.
local function all_names() return names > 1 and table.concat(ARGV, '\n', 6, 5 + names) or '' end

-- The other names of the lease behind a hold.
local function others(all, name)
  local found = {}
  for other in string.gmatch(all or '', '[^\n]+') do
    if other ~= name then found[#found + 1] = other end
  end
  return found
end

-- The hold of any name of that kind.
local function hold_of(name) return string.sub(hold(1), 1, -1 - #field(1)) .. name end

-- What a hold notes of an attempt: the turn of each request that has it, and the last of all.
local function by(nonce, turn) return 'nonce:' .. nonce, turn, 'attempt', nonce .. '/' .. turn end

-- Writes a hold. `max`: highest counter of the generation. What follows are further fields and their values.
local function put(key, name, counter, max, time, ...)
  issue(KEYS[2], name, counter, max)
  -- The counter as well: the name's own may be forgotten, for a floor above it, while a lease is renewed for days.
  local text = int(counter)
  redis.call('HSET', key, 'g', text, 'counter', text, 'since', int(time), ...)
  if KEYS[8] ~= KEYS[1] then redis.call('ZADD', KEYS[8], 0, name) end
end

-- What follows tells how the hold came to be, in fields and their values: see `by`, or 'repaired'.
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
  -- Readers may be left; and what a sweep finds (sweep-held.lua) need not be found here.
  if KEYS[8] ~= KEYS[1] and not shared then redis.call('ZREM', KEYS[8], name) end
end

-- Takes back what a request has of the names, of one turn or of any (nil), and frees those that no other request of the
-- lease has and no renewal has counted. Whether any was freed.
local function give_back(nonce, turn)
  local freed = false
  for i = 1, names do
    local had = redis.call('HGET', own(i), 'nonce:' .. nonce)
    if had and had == (turn or had) then
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
