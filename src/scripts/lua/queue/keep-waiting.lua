-- Keepalive of a service instance: the queue entries of an instance that sends none are given up. Also returns when it is
-- worth asking again for the first waiters at this instance, in case they missed a notification.
--   KEYS[2]  its liveness    KEYS[i + 2]  hold i, which a waiter waits for
--   ARGV[2]  how long the keepalive counts, ms    ARGV[i + 2]  leaseId that waits for hold i
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
