-- Takes over a register from another primary: the higher of the ballots promised, and what was accepted under the higher
-- ballot. Only for a primary that does not vote yet. Of one version it keeps the longest time that any primary has left.
--   KEYS[2]  the register (string)
--   KEYS[3]  registers that may be removed, by when they were noted (sorted set)
--   KEYS[4]  names of all registers of which something was accepted (sorted set)
--   KEYS[5]  registers whose version ends, by when (sorted set)
--   ARGV[2]  name of the register
--   ARGV[3]  ballot promised     ARGV[4]  ballot accepted, or NONE as in lib/registers.lua     ARGV[5]  etag, or NONE
--   ARGV[6]  time left, ms, or ''    ARGV[7]  1: live; 0: a tombstone    ARGV[8]  version
-- Returns {1}.
-- Needs: registers

local stored = redis.call('GET', KEYS[2]) or ARGV[3] .. NONE .. NONE .. NEVER .. '00'
local promised, accepted, etag = string.sub(stored, 1, 37), accepted_in(stored), string.sub(stored, 75, 111)
local ends, live, copied = string.sub(stored, 112, 126), string.sub(stored, 127, 127), string.sub(stored, 128, 128)
local version = string.sub(stored, HEAD + 1)
local theirs = ARGV[6] == '' and NEVER or string.format('%015.0f', now() + math.max(0, tonumber(ARGV[6])))
if promised < ARGV[3] then promised = ARGV[3] end
if etag == ARGV[5] then
  if theirs > ends then ends = theirs end
elseif accepted < ARGV[4] then
  ends = theirs
end
if accepted < ARGV[4] then accepted, etag, live, copied, version = ARGV[4], ARGV[5], ARGV[7], '1', ARGV[8] end
redis.call('SET', KEYS[2], promised .. accepted .. etag .. ends .. live .. copied .. version)

if live == '1' then redis.call('ZREM', KEYS[3], ARGV[2]) else redis.call('ZADD', KEYS[3], 'NX', int(now()), ARGV[2]) end
if accepted ~= NONE then redis.call('ZADD', KEYS[4], 0, ARGV[2]) end
if ends ~= NEVER then redis.call('ZADD', KEYS[5], ends, ARGV[2]) else redis.call('ZREM', KEYS[5], ARGV[2]) end
return { 1 }
