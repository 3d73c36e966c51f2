-- Notes the incarnation of a registration, of any member, that is about to be written: every later one is above it, even if
-- this registration then reaches too few primaries to be seen, or reaches them late.
--   KEYS[2]  highest incarnation that was announced (string)
--   ARGV[2]  incarnation
-- Returns {1}.

if tonumber(ARGV[2]) > tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], ARGV[2]) end
return { 1 }
