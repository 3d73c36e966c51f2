-- Takes a request out of the lines, with what was handed on to it unheard; or keeps its place for a while for a client
-- that may come back. Where another request for the same lease has joined since, the place is that one's.
--   arg(1)  nonce of the request
--   arg(2)  what is given back: 'all', or where the lease was granted only what was handed on in this turn and not heard
--           of, or 'none'; then nobody can follow yet, and no request for it waits any more
--   arg(3)  how long the place is kept, ms; '0': not at all
--   arg(4)  '1' to wake who comes first now in any case, '' where only what becomes free is a reason
-- Returns {1}.

local granted, kept = arg(2) ~= 'all', arg(3)
local freed = arg(2) ~= 'none' and give_back(arg(1), granted and arg(2) or nil)
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
