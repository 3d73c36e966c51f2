-- Raises the counters of all names that an attempt holds, so that a majority can agree on one token.
--   arg(1)  nonce of the request    arg(2)  number of the attempt    arg(3)  counter to raise them to
-- Returns {1, counter}, or {0} if one of the holds is not this attempt's.
-- Needs: leases

local nonce, attempt_number, to = args()
for i = 1, names do
  if redis.call('HGET', own(i), 'nonce:' .. nonce) ~= attempt_number then return { 0 } end
end
-- A floor may have any parity, and may have risen since the grant.
local top, max = highest()
local counter = lift(math.max(top, tonumber(to)))
for i = 1, names do
  redis.call('HSET', own(i), 'counter', issue(counters, field(i), counter, max))
end
return { 1, int(counter) }
