-- Finds registers of a primary about which something is to be done: whose version has ended, or that may be removed. Changes
-- nothing.
--   KEYS[2]  registers that may be removed, by when they were noted (sorted set)
--   KEYS[3]  registers whose version ends, by when (sorted set)
--   KEYS[4]  registers of which something was accepted (sorted set, all with one score)
--   ARGV[2]  for how long a register must have been noted to be removed, ms    ARGV[3]  maximum number of each
--   ARGV[4], ARGV[5]  the first name of those that are counted, and the first one after them
-- Returns {number of registers that may be removed sooner or later, number of those that are counted, number of those that
-- have ended, name ...}: first those that have ended, then those that may be removed now.

local found = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', int(now()), 'LIMIT', 0, ARGV[3])
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', int(now() - tonumber(ARGV[2])), 'LIMIT', 0, ARGV[3])
local counted = redis.call('ZLEXCOUNT', KEYS[4], '[' .. ARGV[4], '(' .. ARGV[5])
local reply = { redis.call('ZCARD', KEYS[2]), counted, #found }
for _, name in ipairs(found) do reply[#reply + 1] = name end
for _, name in ipairs(gone) do reply[#reply + 1] = name end
return reply
