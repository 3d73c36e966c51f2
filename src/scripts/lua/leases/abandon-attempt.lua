-- Cleans up one attempt: takes back its holds. They are freed if no other request for the same lease is recorded in them
-- and no renewal has counted them.
--   arg(1)  nonce of the request    arg(2)  number of the attempt
--   arg(3)  how long the attempt is refused from now on, ms; '0': none of its messages can still be under way
-- Returns {1} when holds were freed, else {0}.
-- Needs: leases, queues

local nonce, attempt_number, refused_ms = args()
if refused_ms ~= '0' then redis.call('SET', attempt_tombstone, 1, 'PX', refused_ms) end
local freed = give_back(nonce, attempt_number)
if freed and has_waiters() then notify(not shared) end
return { freed and 1 or 0 }
