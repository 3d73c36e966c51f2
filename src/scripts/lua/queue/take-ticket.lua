-- Proposes a ticket for the queues, behind every entry that is in them now. Changes nothing.
-- Returns {ticket, 1, time}: the lease is in the queues already, with this ticket; {ticket, 0, time, length}: a proposal:
-- the time or one more than the last ticket, and how many entries the longest queue has. The time is by this server's
-- clock, in microseconds since 1970.
-- Needs: leases, queues

local time = micros()
local ticket, length = time, 0
for i = first_queue, #KEYS do
  local mine = redis.call('ZSCORE', KEYS[i], me)
  if mine and instance_of(me) then return { int(tonumber(mine)), 1, int(time) } end
  local last = redis.call('ZRANGE', KEYS[i], -1, -1, 'WITHSCORES')[2]
  if last then
    ticket = math.max(ticket, tonumber(last) + 1)
    length = math.max(length, redis.call('ZCARD', KEYS[i]))
  end
end
return { int(ticket), 0, int(time), length }
