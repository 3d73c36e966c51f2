-- Describes the holders of a name: the writer, and as many of the given readers as fit. Changes nothing.
--   arg(1)  leaseIds of the readers, one per line; each takes some microseconds
--   arg(2)  bytes of owners and metadata after which no more are described
-- Returns {how many of the readers were looked at, {hold as `describe` has it} ...}.
-- Needs: leases

local readers_wanted, bytes_max = args()
local found, bytes, looked = { 0 }, 0, 0
local function tell(key)
  if redis.call('EXISTS', key) == 0 then return end
  local held = describe(key)
  found[#found + 1] = held
  bytes = bytes + #held[4] + #held[5]
end
tell(hold(1))
for reader in string.gmatch(readers_wanted, '[^\n]+') do
  if bytes >= tonumber(bytes_max) then break end
  tell(hold(1) .. '/' .. reader)
  looked = looked + 1
end
found[1] = looked
return found
