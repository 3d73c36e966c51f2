-- Follows leases.lua, for the scripts in which a lease waits or stops waiting: the queues, handoffs and notifications.
-- A queue is a sorted set by ticket. An entry is 'w' or 'r', for a writer or a reader, followed by the leaseId. Beside the
-- queue, {queue}/writers (sorted set) has the entries of writers, and {queue}/instances (sorted set) the service instances
-- at which readers wait. So nothing here costs more as the number of waiters grows.
-- Needs: leases

-- Maximum entries of dead instances that one script removes: 2 ms.
local PURGED_MAX = 500

-- The queue of any name of the same kind.
local function queue_of(name) return string.sub(KEYS[first_queue], 1, -1 - #field(1)) .. name end

local function writers_in(queue) return queue .. '/writers' end
local function instances_of(queue) return queue .. '/instances' end

-- The key of what is known about a waiter, by its leaseId.
local function waiter(id) return base .. 'lease/' .. id end

-- Enters this lease into all its queues, or refreshes its entries. `wait`: how long they are kept without another attempt,
-- ms. `nonce` and `attempt_number`: of its attempt, which is over once the next one is heard of. Further arguments: fields
-- of the grant that a handoff makes, as `hand_off` reads them; hold = '': no handoff to this waiter.
local function join(ticket, instance, wait, owner, nonce, attempt_number, ...)
  for i = first_queue, #KEYS do
    -- Two requests for one lease may have a ticket each: the earlier one counts for both, else the entry would move to and fro.
    local mine = redis.call('ZSCORE', KEYS[i], me)
    local earliest = mine and tonumber(mine) < tonumber(ticket) and mine or ticket
    redis.call('ZADD', KEYS[i], earliest, me)
    redis.call('PEXPIRE', KEYS[i], 60000)
    local beside = shared and instances_of(KEYS[i]) or writers_in(KEYS[i])
    if shared then redis.call('ZADD', beside, 0, instance) else redis.call('ZADD', beside, earliest, me) end
    redis.call('PEXPIRE', beside, 60000)
  end
  local known = redis.call('HMGET', waiter(lease), 'nonce', 'turn')
  -- A message that arrives late, or twice, must not bring back an earlier attempt.
  if known[1] ~= nonce or tonumber(known[2]) < tonumber(attempt_number) then
    redis.call('HSET', waiter(lease), 'instance', instance, 'owner', owner, 'nonce', nonce, 'turn', attempt_number, ...)
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

-- The instance at which an entry waits; '' while its client may come back; nil: the entry is dead.
local function instance_of(member)
  local instance = redis.call('HGET', waiter(string.sub(member, 2)), 'instance')
  if not instance or (instance ~= '' and not is_alive(instance)) then return nil end
  return instance
end

local function is_writer(member) return string.sub(member, 1, 1) == 'w' end

local function leave_one(queue, member)
  redis.call('ZREM', queue, member)
  redis.call('ZREM', writers_in(queue), member)
end

-- How many entries of dead instances this script has removed, and whether it stopped at PURGED_MAX.
local purged, is_cut = 0, false

-- The first live entry of a queue, or of its writers (`set`), and its instance; removes the dead entries before it.
local function first(queue, set)
  local most = 0
  while true do
    -- Only one at first: it is usually alive.
    local members = redis.call('ZRANGE', set, 0, most)
    for _, member in ipairs(members) do
      local instance = instance_of(member)
      if instance then return member, instance end
      if purged >= PURGED_MAX then
        is_cut = true
        return nil
      end
      leave_one(queue, member)
      purged = purged + 1
    end
    if #members == 0 then return nil end
    most = 99
  end
end

-- Returns how many subscribers got it. If the Redis user may not publish, waiters wait longer, and nothing fails.
local function publish(instance, text)
  local heard = redis.pcall('PUBLISH', base .. 'wake/' .. instance, text)
  return type(heard) == 'number' and heard or 0
end

-- Grants a free name to the first writer of its queue, as that writer's own acquire would if it arrived now, and publishes
-- the grant: this saves a round trip. False: the writer has to ask.
local function hand_off(id, instance)
  local offer = redis.call('HMGET', waiter(id), 'hold', 'name', 'nonce', 'turn', 'ttl', 'owner', 'metadata', 'chosen',
    'purpose_key', 'purpose')
  -- A lease without a fingerprint is stored with KEYS[1] in place of the key.
  local key, name, fingerprint = offer[1], offer[2], offer[10]
  local own_fingerprint_key = offer[9] ~= KEYS[1] and offer[9] or nil
  if (key or '') == '' or redis.call('EXISTS', key, key .. '/readers') > 0 then return false end
  -- A primary in quarantine may have forgotten leases: it grants none on its own.
  if tonumber(fence[3] or 0) > 0 then return false end
  -- No handoff to an instance whose keepalive is late: if it died, the name would be held for the whole time to live. An
  -- instance that died just now is detected below: nobody gets the message.
  if redis.call('PTTL', base .. 'instance/' .. instance) < ALIVE_MS - HANDOFF_WITHIN_MS then return false end
  if own_fingerprint_key and (redis.call('GET', own_fingerprint_key) or fingerprint) ~= fingerprint then return false end
  local counter, max = counter_and_max(counters, older_counters, name)
  counter = lift_for(false, counter + 1)
  local attempt_number, instant = int(offer[4] + 1), micros()
  -- The message has the configuration epoch: handoffs of two configurations do not add up to a majority.
  local told = table.concat({ id, offer[3], attempt_number, int(counter), int(instant), ARGV[1] }, ' ')
  if publish(instance, told) == 0 then return false end
  local time, ttl = math.floor(instant / 1000), tonumber(offer[5])
  put(key, name, counter, max, time, 'lease', id, 'mode', 'exclusive', 'owner', offer[6], 'metadata', offer[7],
    'chosen', offer[8], 'names', '', by(offer[3], attempt_number))
  redis.call('PEXPIRE', key, ttl)
  keep(own_fingerprint_key, fingerprint, ttl)
  mark_lease(time, ttl)
  return true
end

-- Hands off to the first entry of a queue, or notifies it, if it may be granted the name: a writer, or all readers before
-- the first writer, with one message to each of their instances. `key`: the hold of the name, which must be free; nil: the
-- queue of a semaphore, for which this is not known. `readers_too`: false if a reader left, since it kept no reader out.
local function notify_first(queue, key, readers_too)
  local head, instance = first(queue, queue)
  if not head or (key and redis.call('EXISTS', key) == 1) then return end
  local id = string.sub(head, 2)
  if is_writer(head) then
    if instance == '' or head == me or (key and reader_of(key)) or hand_off(id, instance) then return end
    publish(instance, id)
    return
  end
  if not readers_too then return end
  local writer = first(queue, writers_in(queue))
  local before = writer and redis.call('ZSCORE', queue, writer) or '-'
  local all = instances_of(queue)
  for _, one in ipairs(redis.call('ZRANGE', all, 0, -1)) do
    if is_alive(one) then publish(one, 'readers ' .. before .. ' ' .. queue) else redis.call('ZREM', all, one) end
  end
  -- An instance of an earlier version gets a notification for each of its readers.
  if instance ~= '' and head ~= me and not redis.call('ZSCORE', all, instance) then publish(instance, id) end
end

-- The hold of the name that a queue is for, in the order of the names; nil for the queue of a semaphore.
local function hold_behind(i) return not limit_key and hold(i - first_queue + 1) or nil end

local function notify(readers_too)
  for i = first_queue, #KEYS do notify_first(KEYS[i], hold_behind(i), readers_too) end
end

-- Whether a writer in a queue is ahead of this lease: a request that does not wait comes last.
local function is_before(queue, writer)
  local mine = redis.call('ZSCORE', queue, me)
  return not mine or tonumber(redis.call('ZSCORE', queue, writer) or 0) < tonumber(mine)
end

-- How many entries are ahead of this lease, in the queue with the most of them; 0: none that it must wait for.
local function ahead()
  local most, before = 0, purged
  for i = first_queue, #KEYS do
    local queue = KEYS[i]
    local head = first(queue, queue)
    local behind = head and head ~= me
    if behind and shared and not is_writer(head) then
      local writer = first(queue, writers_in(queue))
      behind = writer and is_before(queue, writer)
    end
    -- There may be live entries behind those that were not examined.
    if behind or is_cut then
      most = math.max(most, 1, redis.call('ZRANK', queue, me) or redis.call('ZCARD', queue))
    end
  end
  if purged > before and most > 0 then notify(true) end
  return most
end

local function has_waiters()
  return first_queue <= #KEYS and redis.call('EXISTS', unpack(KEYS, first_queue)) > 0
end

-- Takes this lease out of its queues. Returns, per queue, whether another may now be granted the name because of that: if
-- it was the first entry or the first writer, unless it was a reader and the next entry is a reader as well.
local function leave()
  local opened = {}
  for i = first_queue, #KEYS do
    local queue = KEYS[i]
    local head = redis.call('ZRANGE', queue, 0, 0)[1]
    local writer = redis.call('ZRANGE', writers_in(queue), 0, 0)[1]
    opened[i] = head == me or writer == me
    redis.call('ZREM', queue, 'w' .. lease, 'r' .. lease)
    redis.call('ZREM', writers_in(queue), 'w' .. lease)
    -- The next entry is a reader, which this reader did not keep out.
    if opened[i] and shared and writer ~= redis.call('ZRANGE', queue, 0, 0)[1] then opened[i] = false end
  end
  redis.call('DEL', waiter(lease))
  return opened
end
