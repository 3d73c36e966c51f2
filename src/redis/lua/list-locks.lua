-- Names that are held here, in the order of their bytes, with who holds them. Changes nothing.
--   arg(1)  counter fields that begin with this    arg(2)  after this one, or ''    arg(3)  how many at most
--   arg(4)  what the keys of holds begin with
-- Returns {the last name that was looked at, or '' when all were, {name, {hold as `describe` has it} ...}
-- ...}.

local most = tonumber(arg(3))
local from = arg(2) >= arg(1) and '(' .. arg(2) or '[' .. arg(1)
local listed = redis.call('ZRANGEBYLEX', KEYS[8], from, '[' .. arg(1) .. '\255', 'LIMIT', 0, most)
local found = { #listed == most and listed[most] or '' }
for _, name in ipairs(listed) do
  local key, one = arg(4) .. name, { name }
  if redis.call('EXISTS', key) == 1 then one[2] = describe(key) end
  for _, reader in ipairs(redis.call('ZREVRANGE', key .. '/readers', 0, 99)) do
    if redis.call('EXISTS', key .. '/' .. reader) == 1 then one[#one + 1] = describe(key .. '/' .. reader) end
  end
  if #one > 1 then found[#found + 1] = one end
end
return found
