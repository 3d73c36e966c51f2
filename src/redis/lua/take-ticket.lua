-- Proposes a place in the lines: behind all who stand in them now. Changes nothing.
-- Returns {ticket, 1}: the lease stands in the lines already, with this one; {ticket, 0}: proposed, microseconds since
-- 1970 by this server's clock or one more than the last.

local ticket = micros()
for i = lines, #KEYS do
  local mine = redis.call('ZSCORE', KEYS[i], me)
  if mine and instance_of(me) then return { int(tonumber(mine)), 1 } end
  local last = redis.call('ZRANGE', KEYS[i], -1, -1, 'WITHSCORES')[2]
  if last then ticket = math.max(ticket, tonumber(last) + 1) end
end
return { int(ticket), 0 }
