-- Notes the highest incarnation that was announced elsewhere, for a primary that is readmitted: every later one is above it.
--   KEYS[2]  highest incarnation that was announced (string)
--   ARGV[2]  incarnation
-- Returns {1}.

if tonumber(ARGV[2]) > tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], ARGV[2]) end
return { 1 }
