-- Put in front of every script (scripts.ts): the fence, the clock and the counters. One copy, no includes.
--   KEYS[1]  what this primary stores of the configuration (hash)
--   ARGV[1]  stamp: the configuration that the caller holds, and the primary that it believes to talk to
-- Errors: FENCED when the stored stamp is another, or none is stored; nothing was read or written then.
-- Lua loses digits of numbers above 10^14 in tostring, `..` and cjson: counters travel as text made by `int`.

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

-- The counter of a name: the current generation, else the older, and nowhere below the floor: a floor that was raised
-- by a cold start, or taken over from others, stands for what this primary has forgotten. Never falls. And `max` of
-- the current generation, which is no name since it has no slash: its highest counter, that makes the next floor.
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

-- Notes that a lease may live until `time` + `ttl`: how long a primary that forgets will have to grant none. Written
-- a second further than needed, so that it is written about once a second.
local function mark_lease(time, ttl)
  if time + ttl <= tonumber(fence[4] or 0) then return end
  redis.call('HSET', KEYS[1], 'leases_until', int(time + ttl + 1000))
end
