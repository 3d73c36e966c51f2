-- Tells which slots of a semaphore are taken, and by whom. Changes nothing.
--   arg(1)  what the holds of its slots begin with    arg(2)  slots to look at, where no limit is stored
--   arg(3)  '1' to describe the holds, else ''
-- Returns {limit or '', {slot, '1' when this lease has it, else '', and where asked for the hold as `describe` has it}
-- ..., {how many wait}}.

local limit, highest_slot = limits()
local found = { limit or '' }
for slot = 1, highest_slot or tonumber(arg(2)) do
  local key = arg(1) .. slot
  local holder = redis.call('HGET', key, 'lease')
  if holder then
    local mine = holder == lease and '1' or ''
    found[#found + 1] = arg(3) == '1' and { slot, mine, unpack(describe(key)) } or { slot, mine }
  end
end
found[#found + 1] = { redis.call('ZCARD', KEYS[lines]) }
return found
