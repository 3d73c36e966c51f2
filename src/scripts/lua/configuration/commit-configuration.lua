-- Commits an agreed configuration on this primary: from now on, scripts with an older configuration epoch are refused.
--   KEYS[2]  the acceptor's state of this configuration's agreement: decided, so no longer needed
--   ARGV[2]  configuration, JSON    ARGV[3]  id of this primary    ARGV[4]  stage: 'member' or 'copying'
--   ARGV[5]  configuration epoch: of the configuration, this primary and the stage
-- Returns {1}.

-- The id of another: this primary was its replica, and has its data, with the times of its clock (drop-borrowed.lua).
local id = redis.call('HGET', KEYS[1], 'id')
if id and id ~= ARGV[3] then redis.call('HSET', KEYS[1], 'borrowed', '1') end
redis.call('HSET', KEYS[1], 'configuration', ARGV[2], 'id', ARGV[3], 'stage', ARGV[4], 'stamp', ARGV[5])
redis.call('DEL', KEYS[2])
return { 1 }
