-- Says that a service instance lives: the places in line of one that does not are given up. And tells when it is worth
-- for those who are first there to ask again, should they not have heard that it is their turn.
--   KEYS[2]  its liveness    KEYS[i + 2]  hold that one waits for
--   ARGV[2]  for how long it is believed, ms    ARGV[i + 2]  leaseId that waits for hold i
-- Returns {time of this server in microseconds since 1970, ms until hold i ends by itself, 0 where it is free or this
-- lease's own ...}.

redis.call('SET', KEYS[2], 1, 'PX', ARGV[2])
local found = { int(micros()) }
for i = 3, #KEYS do
  local left = math.max(redis.call('PTTL', KEYS[i]), redis.call('PTTL', KEYS[i] .. '/readers'), 0)
  if left > 0 and redis.call('HGET', KEYS[i], 'lease') == ARGV[i] then left = 0 end
  found[i - 1] = left
end
return found
