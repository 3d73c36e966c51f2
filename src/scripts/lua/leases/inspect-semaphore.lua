-- Tells which slots of a semaphore are taken, and by whom, looking at each. Changes nothing.
--   arg(1)  what the holds of its slots begin with    arg(2)  how many holders are described, at most: of those whose
--   first slot lies behind arg(3)
-- Returns {limit or '', how many wait, {slots of a lease in words of their own, its leaseId} ..., {slots, leaseId, hold as
-- `describe` has it} ...}: leases in the order of their first slots, in the second form where they are described.
-- Needs: leases

-- The limit lives as long as the last hold: where there is none, no slot is taken.
local limit, highest_slot = limits()
local leases, slots_of = {}, {}
for slot = 1, highest_slot or 0 do
  local holder = redis.call('HGET', arg(1) .. slot, 'lease')
  if holder then
    local slots = slots_of[holder]
    if not slots then
      slots = {}
      slots_of[holder], leases[#leases + 1] = slots, holder
    end
    slots[#slots + 1] = slot
  end
end
local found, described = { limit or '', redis.call('ZCARD', KEYS[lines]) }, 0
for _, holder in ipairs(leases) do
  local slots = slots_of[holder]
  local text, is_described = table.concat(slots, ' '), described < tonumber(arg(2)) and slots[1] > tonumber(arg(3))
  if is_described then described = described + 1 end
  found[#found + 1] = is_described and { text, holder, unpack(describe(arg(1) .. slots[1])) } or { text, holder }
end
return found
