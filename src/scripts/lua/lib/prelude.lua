-- Put in front of every script (scripts.ts): the fence, the clock and the counters. One copy, no includes.
--   KEYS[1]  what this primary stores of the configuration (hash); its field `stamp` is the configuration epoch
--   ARGV[1]  configuration epoch: of the caller's configuration, and of the primary that it believes it is talking to
-- Errors: FENCED if another configuration epoch is stored, or none; then nothing was read or written.
-- Lua loses digits of numbers above 10^14 in tostring, `..` and cjson, so counters are sent as text made by `int`.

local fence = redis.call('HMGET', KEYS[1], 'stamp', 'floor', 'quarantine_until', 'leases_until')
if fence[1] ~= ARGV[1] then return redis.error_reply('FENCED this primary holds another configuration') end

local function int(number) return string.format('%.0f', number) end

-- Microseconds since 1970 by this server's clock.
local function micros()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- Milliseconds since 1970 by this server's clock: for ages and deadlines on this server, never compared with another's.
local function now() return math.floor(micros() / 1000) end

-- The counter of a name: from the current generation, else from the older one, and never below the floor. A floor that was
-- raised by a cold start, or taken over from others, stands for what this primary has forgotten. The counter never falls.
-- Also returns `max`, the highest counter of the current generation, from which the next floor is made. The field cannot
-- be a name, since it has no slash.
local function counter_and_max(current, older, field)
  local known = redis.call('HMGET', current, field, 'max')
  local counter = tonumber(known[1] or redis.call('HGET', older, field) or 0)
  return math.max(counter, tonumber(fence[2] or 0)), tonumber(known[2] or 0)
end

local function eff(current, older, field) return (counter_and_max(current, older, field)) end

-- Writes a counter.
local function issue(current, field, counter, max)
  local text = int(counter)
  if max >= counter then
    redis.call('HSET', current, field, text)
  else
    redis.call('HSET', current, field, text, 'max', text)
  end
end

-- Raises the lease high-water mark to `time` + `ttl`, until when a lease may live: a primary that forgets must grant none
-- until then. The mark is set a second further than needed, so that it is written only about once a second.
local function mark_lease(time, ttl)
  if time + ttl <= tonumber(fence[4] or 0) then return end
  redis.call('HSET', KEYS[1], 'leases_until', int(time + ttl + 1000))
end
