-- Describes the holders of a name and its waiters. Changes nothing.
--   arg(1)  maximum number of holders, and of waiters, to describe
-- Returns {counter, holds as `describe` has them, how many wait, {{'w' or 'r' and leaseId digest, owner}, ...}}.
-- Needs: leases, queues

local most = args()
most = tonumber(most)
local holds = {}
if redis.call('EXISTS', hold(1)) == 1 then holds[1] = describe(hold(1)) end
for _, reader in ipairs(redis.call('ZREVRANGE', readers(1), 0, most - 1)) do
  local key = hold(1) .. '/' .. reader
  if redis.call('EXISTS', key) == 1 then holds[#holds + 1] = describe(key) end
end
local waiting, members = {}, redis.call('ZRANGE', KEYS[first_queue], 0, most - 1)
for _, member in ipairs(members) do
  if instance_of(member) then
    local id = string.sub(member, 2)
    local owner = redis.call('HGET', waiter(id), 'owner')
    waiting[#waiting + 1] = { string.sub(member, 1, 1) .. redis.sha1hex(id), owner }
  end
end
return { int(counter_of(1)), holds,
  redis.call('ZCARD', KEYS[first_queue]) - #members + #waiting, waiting }
