-- The limit of a semaphore, as it is stored: `limit/highest`, where `highest` is the highest slot that may still be taken
-- from before the limit was lowered.

-- Both; nil: no limit is set.
local function read_limit(key)
  local stored = redis.call('GET', key)
  if not stored then return nil end
  return tonumber(string.match(stored, '^%d+')), tonumber(string.match(stored, '%d+$'))
end

local function stored_limit(limit, highest_slot) return limit .. '/' .. (highest_slot or limit) end
