-- How long members are stored. A record outlives its deadline, so that it is found and replaced by a tombstone of its own.

local LAPSED_MS = 60000

-- Time until the deadline of a live record, ms. `deadline`: its field; one of an earlier version has none, and ends with its key.
local function left_of(record, deadline) return deadline and tonumber(deadline) - now() or redis.call('PTTL', record) end

-- Lets a key live for as long, unless it does already; `spare` longer than needed, so that it is not written each time. ms
local function keep_for(key, life, spare)
  if redis.call('PTTL', key) < life then redis.call('PEXPIRE', key, int(life + (spare or 0))) end
end
