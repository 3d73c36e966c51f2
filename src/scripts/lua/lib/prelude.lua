-- Put in front of every script (scripts.ts): the fence and the clock. One copy, no includes. The fields of
-- the fence behind the configuration epoch are read only for scripts that use them.
--   KEYS[1]  what this primary stores of the configuration (hash); its field `stamp` is the configuration epoch
--   ARGV[1]  configuration epoch: of the caller's configuration, and of the primary that it believes it is talking to
-- Errors: FENCED if another configuration epoch is stored, or none; then nothing was read or written.
-- Lua loses digits of numbers above 10^14 in tostring, `..` and cjson, so counters are sent as text made by `int`.

local fence = redis.call('HMGET', KEYS[1], 'stamp', 'floor', 'quarantine_until', 'leases_until', 'register_floor')
if fence[1] ~= ARGV[1] then return redis.error_reply('FENCED this primary holds another configuration') end

local function int(number) return string.format('%.0f', number) end

-- Microseconds since 1970 by this server's clock when it was first asked for: a script, a batch too, takes less than a millisecond.
local instant
local function micros()
  if not instant then
    local time = redis.call('TIME')
    instant = tonumber(time[1]) * 1000000 + tonumber(time[2])
  end
  return instant
end

-- Milliseconds since 1970 by this server's clock: for ages and deadlines on this server, never compared with another's.
local function now() return math.floor(micros() / 1000) end
