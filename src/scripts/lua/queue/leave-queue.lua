-- Takes a request out of its queues, and takes back any handoff that it has not heard of; or keeps its entries for a while
-- for a client that may come back. If another request for the same lease has entered since, the entries belong to that one.
--   arg(1)  nonce of the request
--   arg(2)  what is given back: 'all'; or, if the lease was granted, the number of the attempt whose unheard handoff is given
--           back, or 'none'. Once it was granted, nobody can follow yet, and no request for it waits any more
--   arg(3)  how long the entries are kept, ms; '0': they are removed
--   arg(4)  '1' to notify the first waiter in any case; '': only if this departure opens the way for it
-- Returns {how many were before it, hold as `describe` has it}: if it was not granted and another lease has a name; else
-- {how many were before it}.
-- Needs: leases, queues

local nonce, back, kept, always_notify = args()
local granted = back ~= 'all'
local before, other = 0, nil
for i = first_queue, #KEYS do before = math.max(before, redis.call('ZRANK', KEYS[i], me) or 0) end
local freed = back ~= 'none' and give_back(nonce, granted and back or nil)
local latest = redis.call('HGET', waiter(lease), 'nonce')
local opened = {}
if granted or not latest or latest == nonce then
  if latest and kept ~= '0' then
    redis.call('HSET', waiter(lease), 'instance', '', 'hold', '')
    redis.call('PEXPIRE', waiter(lease), kept)
  else
    opened = leave()
  end
end
for i = first_queue, #KEYS do
  if freed or always_notify == '1' or (opened[i] and not granted) then notify_first(KEYS[i], hold_behind(i), not shared) end
end
if granted then return { before } end
for i = 1, names do other = other or blocker(i) end
if not other then return { before } end
return { before, unpack(describe(other)) }
