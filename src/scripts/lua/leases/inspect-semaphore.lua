-- Lists the taken slots of a semaphore and their leases; examines each slot. Changes nothing.
--   arg(1)  prefix of the holds of its slots    arg(2)  how many holders to describe at most: of leases whose first
--   slot comes after arg(3)
-- Returns {limit or '', how many wait, {slots of a lease as one text, its leaseId} ..., {slots, leaseId, hold as
-- `describe` has it} ...}: leases in the order of their first slots, in the second form if they are described.
-- Needs: leases

local holds, described_max, after = args()
-- The limit is kept as long as the last hold: if there is no limit, no slot is taken.
local limit, highest_slot = limits()
local leases, slots_of = {}, {}
for slot = 1, highest_slot or 0 do
  local holder = redis.call('HGET', holds .. slot, 'lease')
  if holder then
    local slots = slots_of[holder]
    if not slots then
      slots = {}
      slots_of[holder], leases[#leases + 1] = slots, holder
    end
    slots[#slots + 1] = slot
  end
end
local found, described = { limit or '', redis.call('ZCARD', KEYS[first_queue]) }, 0
for _, holder in ipairs(leases) do
  local slots = slots_of[holder]
  local text, is_described = table.concat(slots, ' '), described < tonumber(described_max) and slots[1] > tonumber(after)
  if is_described then described = described + 1 end
  found[#found + 1] = is_described and { text, holder, unpack(describe(holds .. slots[1])) } or { text, holder }
end
return found
