-- Gives this primary a configuration that was agreed: from now on scripts with the stamp of an older one are refused.
--   KEYS[2]  the acceptor's memory of this configuration's agreement: decided, so no longer needed
--   ARGV[2]  configuration, JSON    ARGV[3]  id of this primary    ARGV[4]  stage: 'member' or 'copying'
--   ARGV[5]  stamp of the configuration, this primary and the stage
-- Returns {1}.

redis.call('HSET', KEYS[1], 'configuration', ARGV[2], 'id', ARGV[3], 'stage', ARGV[4], 'stamp', ARGV[5])
redis.call('DEL', KEYS[2])
return { 1 }
