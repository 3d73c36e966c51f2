-- Behind leases.lua, for the scripts in which somebody waits, or somebody's waiting ends: the lines, and whose turn it is.
-- A line is a sorted set by ticket. Its members are 'w' or 'r', for a writer or a reader, and the leaseId. Beside it are, in
-- {line}/writers (sorted set), those of them that are writers, and in {line}/instances (sorted set) the service instances whose readers
-- wait there: so nothing here costs more the more there are that wait.

-- Places of the dead that one script gives up at most: 2 ms.
local PURGED_MAX = 500

-- The line of any name of that kind.
local function line_of(name) return string.sub(KEYS[lines], 1, -1 - #field(1)) .. name end

local function writers_in(line) return line .. '/writers' end
local function instances_of(line) return line .. '/instances' end

-- What is known of one who waits, by its leaseId.
local function waiter(id) return base .. 'lease/' .. id end

-- Takes its place in all lines, or the same place again. `wait`: how long it may stay without asking again, ms. `nonce`
-- and `turn`: of its attempt, which is over once the next turn is heard of. The rest are fields of what it offers to
-- be granted when it is its turn, as `hand_on` has them; none where it has to ask itself.
local function join(ticket, instance, wait, owner, nonce, turn, ...)
  for i = lines, #KEYS do
    -- Two requests for one lease may have a ticket each: the earlier one counts for both, or they would take turns.
    local mine = redis.call('ZSCORE', KEYS[i], me)
    local place = mine and tonumber(mine) < tonumber(ticket) and mine or ticket
    redis.call('ZADD', KEYS[i], place, me)
    redis.call('PEXPIRE', KEYS[i], 60000)
    local beside = shared and instances_of(KEYS[i]) or writers_in(KEYS[i])
    if shared then redis.call('ZADD', beside, 0, instance) else redis.call('ZADD', beside, place, me) end
    redis.call('PEXPIRE', beside, 60000)
  end
  local known = redis.call('HMGET', waiter(lease), 'nonce', 'turn')
  -- A message that comes late, or twice, must not bring an earlier turn back.
  if known[1] ~= nonce or tonumber(known[2]) < tonumber(turn) then
    redis.call('HSET', waiter(lease), 'instance', instance, 'owner', owner, 'nonce', nonce, 'turn', turn, ...)
    redis.call('PEXPIRE', waiter(lease), wait)
  end
  redis.call('SET', base .. 'instance/' .. instance, 1, 'PX', ALIVE_MS)
end

local known_alive = {}
local function is_alive(instance)
  if known_alive[instance] == nil then
    known_alive[instance] = redis.call('EXISTS', base .. 'instance/' .. instance) == 1
  end
  return known_alive[instance]
end

-- The instance that a place in a line is kept for: '' while its client may come back; nil: nobody waits there any more.
local function instance_of(member)
  local instance = redis.call('HGET', waiter(string.sub(member, 2)), 'instance')
  if not instance or (instance ~= '' and not is_alive(instance)) then return nil end
  return instance
end

local function is_writer(member) return string.sub(member, 1, 1) == 'w' end

local function leave_one(line, member)
  redis.call('ZREM', line, member)
  redis.call('ZREM', writers_in(line), member)
end

-- How many places of the dead this script has given up, and whether it stopped at the most that it may.
local purged, is_cut = 0, false

-- The first in a line, or among its writers (`set`), that is still waited for, and its instance; gives up the places before it.
local function first(line, set)
  local most = 0
  while true do
    -- One at first: mostly it is alive.
    local members = redis.call('ZRANGE', set, 0, most)
    for _, member in ipairs(members) do
      local instance = instance_of(member)
      if instance then return member, instance end
      if purged >= PURGED_MAX then
        is_cut = true
        return nil
      end
      leave_one(line, member)
      purged = purged + 1
    end
    if #members == 0 then return nil end
    most = 99
  end
end

-- A user who may not publish lets others wait for longer, and must fail nothing. How many have heard it.
local function publish(instance, text)
  local heard = redis.pcall('PUBLISH', base .. 'wake/' .. instance, text)
  return type(heard) == 'number' and heard or 0
end

-- Grants what is free to the writer that comes first, as its own acquire would if it arrived just now, and tells it so:
-- that saves it a round trip. False where it has to ask itself.
local function hand_on(id, instance)
  local offer = redis.call('HMGET', waiter(id), 'hold', 'name', 'nonce', 'turn', 'ttl', 'owner', 'metadata', 'chosen',
    'purpose_key', 'purpose')
  local key, name, purpose_key, purpose = offer[1], offer[2], offer[9], offer[10]
  if (key or '') == '' or redis.call('EXISTS', key, key .. '/readers') > 0 then return false end
  -- One that may have forgotten leases grants to those that ask, when it may.
  if tonumber(fence[3] or 0) > 0 then return false end
  -- Nor to an instance that has missed saying that it lives, as it does every 0.4 s: whoever is dead would hold the name
  -- for its whole time to live. One that has died just now is seen by its connection, which nobody hears.
  if redis.call('PTTL', base .. 'instance/' .. instance) < ALIVE_MS - HANDOFF_WITHIN_MS then return false end
  if purpose_key ~= KEYS[1] and (redis.call('GET', purpose_key) or purpose) ~= purpose then return false end
  local counter, max = counter_and_max(KEYS[2], KEYS[3], name)
  counter = lift_for(false, counter + 1)
  local turn, instant = int(offer[4] + 1), micros()
  -- Which one it is counts as well: what two primaries say in two configurations is no majority.
  local told = table.concat({ id, offer[3], turn, int(counter), int(instant), ARGV[1] }, ' ')
  if publish(instance, told) == 0 then return false end
  local time, ttl = math.floor(instant / 1000), tonumber(offer[5])
  put(key, name, counter, max, time, 'lease', id, 'mode', 'exclusive', 'owner', offer[6], 'metadata', offer[7],
    'chosen', offer[8], 'names', '', by(offer[3], turn))
  redis.call('PEXPIRE', key, ttl)
  keep(purpose_key, purpose, ttl)
  mark_lease(time, ttl)
  return true
end

-- Lets in or wakes who comes first in a line where it can be let in: a writer, or all readers before the first writer, by one
-- message to each of their instances. `key`: the hold of the name, which must be free; nil: a semaphore's line, of which this
-- cannot be told. `readers_too`: not where what ended is a reader, beside which they could stand all the time.
local function wake_first(line, key, readers_too)
  local head, instance = first(line, line)
  if not head or (key and redis.call('EXISTS', key) == 1) then return end
  local id = string.sub(head, 2)
  if is_writer(head) then
    if instance == '' or head == me or (key and reader_of(key)) or hand_on(id, instance) then return end
    publish(instance, id)
    return
  end
  if not readers_too then return end
  local writer = first(line, writers_in(line))
  local before = writer and redis.call('ZSCORE', line, writer) or '-'
  local all = instances_of(line)
  for _, one in ipairs(redis.call('ZRANGE', all, 0, -1)) do
    if is_alive(one) then publish(one, 'readers ' .. before .. ' ' .. line) else redis.call('ZREM', all, one) end
  end
  -- One of the version before this is told of each of its readers by itself.
  if instance ~= '' and head ~= me and not redis.call('ZSCORE', all, instance) then publish(instance, id) end
end

-- The hold behind a line: lines of names are in their order, that of a semaphore has none.
local function hold_behind(i) return KEYS[6] == KEYS[1] and hold(i - lines + 1) or nil end

local function wake(readers_too)
  for i = lines, #KEYS do wake_first(KEYS[i], hold_behind(i), readers_too) end
end

-- Whether a writer in a line comes before this lease: whoever does not wait comes behind all.
local function is_before(line, writer)
  local mine = redis.call('ZSCORE', line, me)
  return not mine or tonumber(redis.call('ZSCORE', line, writer) or 0) < tonumber(mine)
end

-- How many stand before this lease in the longest of its lines. 0: nobody does whom it has to let go first.
local function ahead()
  local most, before = 0, purged
  for i = lines, #KEYS do
    local line = KEYS[i]
    local head = first(line, line)
    local behind = head and head ~= me
    if behind and shared and not is_writer(head) then
      local writer = first(line, writers_in(line))
      behind = writer and is_before(line, writer)
    end
    -- Behind places that were not looked at there may be anybody.
    if behind or is_cut then
      most = math.max(most, 1, redis.call('ZRANK', line, me) or redis.call('ZCARD', line))
    end
  end
  if purged > before and most > 0 then wake(true) end
  return most
end

local function is_waited_for() return lines <= #KEYS and redis.call('EXISTS', unpack(KEYS, lines)) > 0 end

-- Takes this lease out of its lines. Those in which somebody else may be let in by that: where it was the first, and no reader
-- (readers behind one are let in beside it), or the first writer.
local function leave()
  local opened = {}
  for i = lines, #KEYS do
    local line = KEYS[i]
    local head = redis.call('ZRANGE', line, 0, 0)[1]
    local writer = redis.call('ZRANGE', writers_in(line), 0, 0)[1]
    opened[i] = head == me or writer == me
    redis.call('ZREM', line, 'w' .. lease, 'r' .. lease)
    redis.call('ZREM', writers_in(line), 'w' .. lease)
    -- Whoever is next is a reader that could stand beside this one.
    if opened[i] and shared and writer ~= redis.call('ZRANGE', line, 0, 0)[1] then opened[i] = false end
  end
  redis.call('DEL', waiter(lease))
  return opened
end
