-- Lists held names in byte order, with their holders: as many as fit. Changes nothing.
--   arg(1)  prefix of the counter fields    arg(2)  field to start after, or ''    arg(3)  maximum number of names
--   arg(4)  prefix of the keys of holds
--   arg(5)  holds, and arg(6)  bytes of owners and metadata, after which no more names are looked at
-- Returns {the last name that was looked at, or '' when all were, {name, {hold as `describe` has it} ...}
-- ...}.
-- Needs: leases

local prefix, after, most, holds_prefix, holds_max, bytes_max = args()
most = tonumber(most)
local holds, bytes = 0, 0
local from = after >= prefix and '(' .. after or '[' .. prefix
local listed = redis.call('ZRANGEBYLEX', held_names, from, '[' .. prefix .. '\255', 'LIMIT', 0, most)
local found = { #listed == most and listed[most] or '' }
local function tell(one, key)
  if redis.call('EXISTS', key) == 0 then return end
  local held = describe(key)
  one[#one + 1] = held
  holds, bytes = holds + 1, bytes + #held[4] + #held[5]
end
for place, name in ipairs(listed) do
  if holds >= tonumber(holds_max) or bytes >= tonumber(bytes_max) then
    found[1] = listed[place - 1]
    break
  end
  local key, one = holds_prefix .. name, { name }
  tell(one, key)
  for _, reader in ipairs(redis.call('ZREVRANGE', key .. '/readers', 0, 99)) do tell(one, key .. '/' .. reader) end
  if #one > 1 then found[#found + 1] = one end
end
return found
