-- Takes a request out of the lines, with what was handed on to it unheard; or keeps its place for a while for a client
-- that may come back. Where another request for the same lease has joined since, the place is that one's.
--   arg(1)  nonce of the request
--   arg(2)  '1' where the lease was granted: nobody can follow yet, and no request for it waits any more; else ''
--   arg(3)  how long the place is kept, ms; '0': not at all
--   arg(4)  '1' to wake who comes first now in any case, '' where only what becomes free is a reason
-- Returns {1}.

local granted, kept = arg(2) == '1', arg(3)
local freed = not granted and give_back(arg(1))
local nonce = redis.call('HGET', waiter(lease), 'nonce')
if granted or not nonce or nonce == arg(1) then
  if nonce and kept ~= '0' then
    redis.call('HSET', waiter(lease), 'instance', '', 'hold', '')
    redis.call('PEXPIRE', waiter(lease), kept)
  else
    leave()
  end
end
if freed or arg(4) == '1' then wake() end
return { 1 }
