-- Behind leases.lua, for the scripts in which somebody waits, or somebody's waiting ends: the lines, and whose turn it is.

-- For how long a service instance is believed to live after it was heard of, ms. As in waiting.ts.
local ALIVE = 1200

-- The line of any name of that kind.
local function line_of(name) return string.sub(KEYS[lines], 1, -1 - #field(1)) .. name end

-- What is known of one who waits, by its leaseId.
local function waiter(id) return base .. 'lease/' .. id end

-- Takes its place in all lines, or the same place again. `wait`: how long it may stay without asking again, ms. `nonce`
-- and `turn`: of its attempt, which is over once the next turn is heard of. The rest are fields of what it offers to
-- be granted when it is its turn, as `hand_on` has them; none where it has to ask itself.
local function join(ticket, instance, wait, owner, nonce, turn, ...)
  for i = lines, #KEYS do
    -- Two requests for one lease may have a ticket each: the earlier one counts for both, or they would take turns.
    local mine = redis.call('ZSCORE', KEYS[i], me)
    if not mine or tonumber(mine) > tonumber(ticket) then redis.call('ZADD', KEYS[i], ticket, me) end
    redis.call('PEXPIRE', KEYS[i], 60000)
  end
  local known = redis.call('HMGET', waiter(lease), 'nonce', 'turn')
  -- A message that comes late, or twice, must not bring an earlier turn back.
  if known[1] ~= nonce or tonumber(known[2]) < tonumber(turn) then
    redis.call('HSET', waiter(lease), 'instance', instance, 'owner', owner, 'nonce', nonce, 'turn', turn, ...)
    redis.call('PEXPIRE', waiter(lease), wait)
  end
  redis.call('SET', base .. 'instance/' .. instance, 1, 'PX', ALIVE)
end

-- The instance that a place in a line is kept for: '' while its client may come back; nil: nobody waits there any more.
local function instance_of(member)
  local instance = redis.call('HGET', waiter(string.sub(member, 2)), 'instance')
  if not instance then return nil end
  if instance ~= '' and redis.call('EXISTS', base .. 'instance/' .. instance) == 0 then return nil end
  return instance
end

local function is_writer(member) return string.sub(member, 1, 1) == 'w' end

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
  if redis.call('PTTL', base .. 'instance/' .. instance) < ALIVE - 600 then return false end
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

-- Lets in or wakes who comes first in a line: a writer, or the readers before the first one.
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
      local id = string.sub(member, 2)
      if instance ~= '' and member ~= me and not (is_writer(member) and hand_on(id, instance)) then
        publish(instance, id)
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
  redis.call('DEL', waiter(lease))
end
