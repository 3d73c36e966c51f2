-- Summarizes what a primary that is being readmitted needs besides the data itself. Changes nothing.
--   KEYS[2]  counters, current generation (hash)   KEYS[3]  counters, older generation (hash)
--   KEYS[4]  highest incarnation that was announced (string)
-- Returns {floor, highest counter, number of rotations, time until the last lease ends in ms, incarnation}.

local max = math.max(tonumber(redis.call('HGET', KEYS[2], 'max') or 0), tonumber(redis.call('HGET', KEYS[3], 'max') or 0))
return { fence[2] or '0', int(max), redis.call('HGET', KEYS[1], 'rotations') or '0',
  math.max(0, tonumber(fence[4] or 0) - now()), redis.call('GET', KEYS[4]) or '0' }
