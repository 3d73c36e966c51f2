-- Lists the leases that hold a name here, one part at a time, for an operator who ends them. Changes nothing.
--   arg(1)  cursor, '0' to begin    arg(2)  about how many readers to look at; each takes some microseconds
-- Returns {where to go on, or '0' at the end, {leaseId, all its names as lines of one text} ...}.
-- Needs: leases

local from, looks = args()
local page = redis.call('ZSCAN', readers(1), from, 'COUNT', looks)
local found = { page[1] }
local function tell(key)
  local held = redis.call('HMGET', key, 'lease', 'names')
  if not held[1] then return end
  found[#found + 1] = { held[1], held[2] and held[2] ~= '' and held[2] or field(1) }
end
if from == '0' then tell(hold(1)) end
for i = 1, #page[2], 2 do tell(hold(1) .. '/' .. page[2][i]) end
return found
