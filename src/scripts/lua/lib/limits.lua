-- The limit of a semaphore, stored as `limit/highest`: `highest` is the highest slot that may still be taken since before
-- the limit was lowered.

-- Returns both; nil: no limit is set.
local function read_limit(key)
  local stored = redis.call('GET', key)
  if not stored then return nil end
  return tonumber(string.match(stored, '^%d+')), tonumber(string.match(stored, '%d+$'))
end

local function stored_limit(limit, highest_slot) return limit .. '/' .. (highest_slot or limit) end
