-- Announces the incarnation of a registration that is about to be written. Every later one, of any member, is above it, even
-- if this registration then reaches too few primaries to be seen, or reaches them late. No other registration of this member
-- gets a majority for the same incarnation.
--   KEYS[2]  highest incarnation that was announced (string)    KEYS[3]  record of the member (hash)
--   ARGV[2]  incarnation    ARGV[3]  nonce of the registration    ARGV[4]  for how long it is noted where there is no record, ms
-- Returns {1}; {0} if this or a later incarnation of the member is another registration's.

local incarnation = tonumber(ARGV[2])
if incarnation > tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], ARGV[2]) end

local function is_taken(theirs, nonce)
  theirs = tonumber(theirs)
  return theirs > incarnation or theirs == incarnation and nonce ~= ARGV[3]
end
local stored = redis.call('HMGET', KEYS[3], 'incarnation', 'nonce', 'announced')
if stored[1] and is_taken(stored[1], stored[2]) then return { 0 } end
if stored[3] and is_taken(string.match(stored[3], '^(%d+) (.*)$')) then return { 0 } end
redis.call('HSET', KEYS[3], 'announced', ARGV[2] .. ' ' .. ARGV[3])
if not stored[1] then redis.call('PEXPIRE', KEYS[3], ARGV[4]) end
return { 1 }
