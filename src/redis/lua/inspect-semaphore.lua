-- Tells which slots of a semaphore are taken, and by whom. Changes nothing.
--   arg(1)  what the holds of its slots begin with    arg(2)  '1' to describe the holds, else ''
-- Returns {limit or '', {slot, '1' when this lease has it, else '', and where asked for the hold as `describe` has it}
-- ..., {how many wait}}.

-- The limit lives as long as the last hold: where there is none, no slot is taken.
local limit, highest_slot = limits()
local found = { limit or '' }
for slot = 1, highest_slot or 0 do
  local key = arg(1) .. slot
  local holder = redis.call('HGET', key, 'lease')
  if holder then
    local mine = holder == lease and '1' or ''
    found[#found + 1] = arg(2) == '1' and { slot, mine, unpack(describe(key)) } or { slot, mine }
  end
end
found[#found + 1] = { redis.call('ZCARD', KEYS[lines]) }
return found
