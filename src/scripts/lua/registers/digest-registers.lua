-- Shows whether two primaries have the same of some registers. Changes nothing.
--   KEYS[i + 1]  register i (string)
-- Returns {SHA-1 of what is stored of all of them but the versions, which their ballots stand for, and when they end, numbers of
-- those whose version ends ...}.
-- Needs: registers

local heads, found = {}, { '' }
for i = 2, #KEYS do
  local head = head_of(KEYS[i])
  if head ~= '' and string.sub(head, 112, 126) ~= NEVER then found[#found + 1] = i - 1 end
  heads[i - 1] = string.sub(head, 1, 111) .. string.sub(head, 127, 127)
end
found[1] = redis.sha1hex(table.concat(heads, ' '))
return found
