-- Proposes a place in the lines: behind all who stand in them now. Changes nothing.
-- Returns {ticket, 1, time}: the lease stands in the lines already, with this one; {ticket, 0, time}: proposed, the time or
-- one more than the last. The time is that of this server, in microseconds since 1970.
-- Needs: leases, queues

local time = micros()
local ticket = time
for i = lines, #KEYS do
  local mine = redis.call('ZSCORE', KEYS[i], me)
  if mine and instance_of(me) then return { int(tonumber(mine)), 1, int(time) } end
  local last = redis.call('ZRANGE', KEYS[i], -1, -1, 'WITHSCORES')[2]
  if last then ticket = math.max(ticket, tonumber(last) + 1) end
end
return { int(ticket), 0, int(time) }
