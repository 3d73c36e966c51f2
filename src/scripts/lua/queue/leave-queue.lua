-- Takes a request out of the lines, with what was handed on to it unheard; or keeps its place for a while for a client
-- that may come back. Where another request for the same lease has joined since, the place is that one's.
--   arg(1)  nonce of the request
--   arg(2)  what is given back: 'all', or where the lease was granted only what was handed on in this turn and not heard
--           of, or 'none'; then nobody can follow yet, and no request for it waits any more
--   arg(3)  how long the place is kept, ms; '0': not at all
--   arg(4)  '1' to wake who comes first now in any case, '' where only what this opens is a reason
-- Returns {how many stood before it, hold as `describe` has it}: it was not granted, and another lease has a name; else
-- {how many stood before it}.
-- Needs: leases, queues

local granted, kept = arg(2) ~= 'all', arg(3)
local before, other = 0, nil
for i = lines, #KEYS do before = math.max(before, redis.call('ZRANK', KEYS[i], me) or 0) end
local freed = arg(2) ~= 'none' and give_back(arg(1), granted and arg(2) or nil)
local nonce = redis.call('HGET', waiter(lease), 'nonce')
local opened = {}
if granted or not nonce or nonce == arg(1) then
  if nonce and kept ~= '0' then
    redis.call('HSET', waiter(lease), 'instance', '', 'hold', '')
    redis.call('PEXPIRE', waiter(lease), kept)
  else
    opened = leave()
  end
end
for i = lines, #KEYS do
  if freed or arg(4) == '1' or (opened[i] and not granted) then wake_first(KEYS[i], hold_behind(i), not shared) end
end
if granted then return { before } end
for i = 1, names do other = other or blocker(i) end
if not other then return { before } end
return { before, unpack(describe(other)) }
