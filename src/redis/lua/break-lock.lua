-- Ends the leases that hold a name, with all their names, for an operator.
--   arg(1)  tombstone, ms    arg(2)  why    arg(3)  what the keys of tombstones begin with
-- Returns {how many leases were ended}.

local broken = 0

-- Frees a name of a lease; nil where it holds none there.
local function crush(key, name, holder)
  local held = redis.call('HMGET', key, 'lease', 'counter', 'names', 'mode')
  if not held[1] or (holder and held[1] ~= holder) then return nil end
  redis.call('DEL', key)
  if held[4] == 'shared' then
    redis.call('ZREM', hold_of(name) .. '/readers', held[1])
  else
    redis.call('ZREM', KEYS[8], name)
  end
  local known, max = counter_and_max(KEYS[2], KEYS[3], name)
  issue(KEYS[2], name, math.max(known, tonumber(held[2])) + 1, max)
  wake_first(line_of(name))
  return held
end

local function break_lease(key)
  local held = crush(key, field(1))
  if not held then return end
  broken = broken + 1
  redis.call('SET', arg(3) .. held[1], 'broken\n' .. arg(2), 'PX', arg(1))
  for _, name in ipairs(others(held[3], field(1))) do
    crush(held[4] == 'shared' and hold_of(name) .. '/' .. held[1] or hold_of(name), name, held[1])
  end
end

break_lease(hold(1))
for _, reader in ipairs(redis.call('ZRANGE', readers(1), 0, -1)) do break_lease(hold(1) .. '/' .. reader) end
return { broken }
