-- Tells who holds a name: the writer, and of some readers as many as fit. Changes nothing.
--   arg(1)  leaseIds of the readers in lines of their own: some microseconds each
--   arg(2)  bytes of owners and metadata from which on no more is told
-- Returns {how many of the readers were looked at, {hold as `describe` has it} ...}.
-- Needs: leases

local found, bytes, looked = { 0 }, 0, 0
local function tell(key)
  if redis.call('EXISTS', key) == 0 then return end
  local held = describe(key)
  found[#found + 1] = held
  bytes = bytes + #held[4] + #held[5]
end
tell(hold(1))
for reader in string.gmatch(arg(1), '[^\n]+') do
  if bytes >= tonumber(arg(2)) then break end
  tell(hold(1) .. '/' .. reader)
  looked = looked + 1
end
found[1] = looked
return found
