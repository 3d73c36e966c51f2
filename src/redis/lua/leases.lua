-- Behind the prelude, for the scripts of leases: names, holds, and the lines of those who wait.
--   KEYS[2]  counters, current generation (hash)   KEYS[3]  counters, older generation (hash)
--   KEYS[4]  tombstone of the lease                KEYS[5]  what the lease is for, where its caller chose its id
--   KEYS[6]  limit of the semaphore                KEYS[7]  tombstone of the attempt
--   KEYS[8]  names that are held (sorted set)
--   KEYS[9 ...]  hold of each name (hash): of a writer; beside it, in {hold}/readers (sorted set) and
--                {hold}/{leaseId} (hash), of readers; then the lines (sorted sets)
--   ARGV[2]  what the keys of those who wait begin with: lease/{leaseId}, instance/{id}, and the channel wake/{id}
--   ARGV[3]  leaseId    ARGV[4]  mode: 'exclusive', 'shared', or '' for the one that it has here
--   ARGV[5]  how many names
--   ARGV[6 ...]  counter field of each name; then the script's own, arg(1) ...
-- KEYS[5] to [8] are KEYS[1] where there is none: '' is a key that a user's rights may not cover.
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

-- The smallest counter from this one on that a grant of this mode may have.
local function lift(counter)
  return counter % 2 == (shared and 1 or 0) and counter or counter + 1
end

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

-- The hold of another lease that this one cannot stand beside, or nil. The holds count; the set of readers only
-- tells where they are.
local function blocker(i)
  local holder = redis.call('HGET', hold(i), 'lease')
  if holder and holder ~= lease then return hold(i) end
  if shared then return nil end
  while true do
    local reader = redis.call('ZRANGE', readers(i), -1, -1)[1]
    if not reader then return nil end
    local key = hold(i) .. '/' .. reader
    if redis.call('EXISTS', key) == 1 then return key end
    redis.call('ZREM', readers(i), reader)
  end
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

-- The hold of any name of that kind, and its line.
local function hold_of(name) return string.sub(hold(1), 1, -1 - #field(1)) .. name end
local function line_of(name) return string.sub(KEYS[lines], 1, -1 - #field(1)) .. name end

-- `max`: highest counter of the generation. `nonce`: of the attempt, or nil.
local function take(i, counter, max, time, ttl, owner, metadata, chosen, nonce)
  issue(KEYS[2], field(i), counter, max)
  -- The counter as well: the name's own may be forgotten, for a floor above it, while a lease is renewed for days.
  local text = int(counter)
  redis.call('HSET', own(i), 'lease', lease, 'g', text, 'counter', text, 'mode', mode, 'owner', owner,
    'metadata', metadata, 'since', int(time), 'chosen', chosen, 'names', all_names(), nonce and 'nonce:' .. nonce or 'repaired', 1)
  if shared then extend(i, time, ttl) else redis.call('PEXPIRE', own(i), ttl) end
  if KEYS[8] ~= KEYS[1] then redis.call('ZADD', KEYS[8], 0, field(i)) end
end

local function free(key, name)
  redis.call('DEL', key)
  if shared then redis.call('ZREM', hold_of(name) .. '/readers', lease) end
  -- Readers may be left; and what a sweep finds (sweep-held.lua) need not be found here.
  if KEYS[8] ~= KEYS[1] and not shared then redis.call('ZREM', KEYS[8], name) end
end

-- Takes its place in all lines, or the same place again. `wait`: how long it may stay without asking again, ms.
local function join(ticket, instance, wait, owner)
  for i = lines, #KEYS do
    -- Two requests for one lease may have a ticket each: the earlier one counts for both, or they would take turns.
    local mine = redis.call('ZSCORE', KEYS[i], me)
    if not mine or tonumber(mine) > tonumber(ticket) then redis.call('ZADD', KEYS[i], ticket, me) end
    redis.call('PEXPIRE', KEYS[i], 60000)
  end
  redis.call('SET', base .. 'lease/' .. lease, instance .. '\n' .. owner, 'PX', wait)
  redis.call('SET', base .. 'instance/' .. instance, 1, 'PX', 1200)
end

-- The instance that a place in a line is kept for: '' while its client may come back; nil: nobody waits there any more.
local function instance_of(member)
  local waiting = redis.call('GET', base .. 'lease/' .. string.sub(member, 2))
  if not waiting then return nil end
  local instance = string.match(waiting, '^[^\n]*')
  if instance ~= '' and redis.call('EXISTS', base .. 'instance/' .. instance) == 0 then return nil end
  return instance
end

local function is_writer(member) return string.sub(member, 1, 1) == 'w' end

-- Wakes who comes first in a line: a writer, or the readers before the first one.
local function wake_first(line)
  local place = 0
  while true do
    local member = redis.call('ZRANGE', line, place, place)[1]
    if not member then return end
    local instance = instance_of(member)
    if instance == nil then
      redis.call('ZREM', line, member)
    else
      if is_writer(member) and place > 0 then return end
      if instance ~= '' and member ~= me then
        -- A user who may not publish lets others wait for longer, and must fail nothing.
        redis.pcall('PUBLISH', base .. 'wake/' .. instance, string.sub(member, 2))
      end
      if is_writer(member) then return end
      place = place + 1
    end
  end
end

local function wake()
  for i = lines, #KEYS do wake_first(KEYS[i]) end
end

-- How many stand before this lease in the longest of its lines. 0: nobody does whom it has to let go first.
local function ahead()
  local most, purged = 0, false
  for i = lines, #KEYS do
    local place = 0
    while true do
      local member = redis.call('ZRANGE', KEYS[i], place, place)[1]
      if not member or member == me then break end
      if instance_of(member) == nil then
        redis.call('ZREM', KEYS[i], member)
        purged = true
      elseif not shared or is_writer(member) then
        most = math.max(most, redis.call('ZRANK', KEYS[i], me) or redis.call('ZCARD', KEYS[i]))
        break
      else
        place = place + 1
      end
    end
  end
  if purged and most > 0 then wake() end
  return most
end

local function is_waited_for() return lines <= #KEYS and redis.call('EXISTS', unpack(KEYS, lines)) > 0 end

local function leave()
  for i = lines, #KEYS do redis.call('ZREM', KEYS[i], 'w' .. lease, 'r' .. lease) end
  redis.call('DEL', base .. 'lease/' .. lease)
end
