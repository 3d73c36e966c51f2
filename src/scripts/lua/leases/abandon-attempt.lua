-- Clean-up: takes back one attempt. Its holds are freed when no other request of the same lease is left in them, and no
-- renewal has counted them.
--   arg(1)  nonce of the request    arg(2)  turn of the attempt
--   arg(3)  time for which the attempt is refused from now on, ms; '0': no message of it can still be under way
-- Returns {1} when holds were freed, else {0}.
-- Needs: leases, queues

if arg(3) ~= '0' then redis.call('SET', KEYS[7], 1, 'PX', arg(3)) end
local freed = give_back(arg(1), arg(2))
if freed and is_waited_for() then wake(not shared) end
return { freed and 1 or 0 }
