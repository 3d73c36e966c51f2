-- Tells who holds a name and who waits for it. Changes nothing.
--   arg(1)  how many holders, and how many of those who wait, are told at most
-- Returns {counter, holds as `describe` has them, how many wait, {{'w' or 'r' and leaseId digest, owner}, ...}}.
-- Needs: leases, queues

local most = tonumber(arg(1))
local holds = {}
if redis.call('EXISTS', hold(1)) == 1 then holds[1] = describe(hold(1)) end
for _, reader in ipairs(redis.call('ZREVRANGE', readers(1), 0, most - 1)) do
  local key = hold(1) .. '/' .. reader
  if redis.call('EXISTS', key) == 1 then holds[#holds + 1] = describe(key) end
end
local waiting, members = {}, redis.call('ZRANGE', KEYS[lines], 0, most - 1)
for _, member in ipairs(members) do
  if instance_of(member) then
    local id = string.sub(member, 2)
    local owner = redis.call('HGET', waiter(id), 'owner')
    waiting[#waiting + 1] = { string.sub(member, 1, 1) .. redis.sha1hex(id), owner }
  end
end
return { int(eff(KEYS[2], KEYS[3], field(1))), holds,
  redis.call('ZCARD', KEYS[lines]) - #members + #waiting, waiting }
