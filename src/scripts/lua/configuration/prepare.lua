-- First half of an agreement (Paxos): promises to accept nothing below a ballot.
--   KEYS[2]  the acceptor's state of this agreement (hash)
--   ARGV[2]  ballot; ballots are strings of equal length, of digits and lower-case hex, ordered as strings
-- Returns {1, ballot accepted last or '', its value or ''}; {0, ballot promised}: an equal or higher ballot was promised.

local stored = redis.call('HMGET', KEYS[2], 'promised', 'ballot', 'value')
if stored[1] and stored[1] >= ARGV[2] then return { 0, stored[1] } end
redis.call('HSET', KEYS[2], 'promised', ARGV[2])
return { 1, stored[2] or '', stored[3] or '' }
