-- Tells which leases hold a name here, for an operator who ends them. Changes nothing.
-- Returns {{leaseId, all its names in lines of their own} ...}.

local found = {}
local function tell(key)
  local held = redis.call('HMGET', key, 'lease', 'names')
  if not held[1] then return end
  found[#found + 1] = { held[1], held[2] and held[2] ~= '' and held[2] or field(1) }
end
tell(hold(1))
for _, reader in ipairs(redis.call('ZRANGE', readers(1), 0, -1)) do tell(hold(1) .. '/' .. reader) end
return found
