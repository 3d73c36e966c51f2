-- Ends whatever holds a name, for an operator.
--   arg(1)  tombstone, ms    arg(2)  why    arg(3)  what the keys of tombstones begin with
-- Returns {how many leases were ended}.

local top, max = highest()
local broken = 0
local function crush(key)
  local held = redis.call('HMGET', key, 'lease', 'counter')
  if not held[1] then return end
  top, broken = math.max(top, tonumber(held[2])), broken + 1
  redis.call('SET', arg(3) .. held[1], 'broken\n' .. arg(2), 'PX', arg(1))
  redis.call('DEL', key)
end
crush(hold(1))
for _, reader in ipairs(redis.call('ZRANGE', readers(1), 0, -1)) do crush(hold(1) .. '/' .. reader) end
redis.call('DEL', readers(1))
if broken > 0 then issue(KEYS[2], field(1), top + 1, max) end
redis.call('ZREM', KEYS[8], field(1))
wake()
return { broken }
