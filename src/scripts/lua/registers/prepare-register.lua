-- First half of a change of a register (CASPaxos): promises to accept nothing below a ballot.
--   KEYS[2]  the register (string)   KEYS[3]  registers that may be removed, by when they were noted (sorted set)
--   ARGV[2]  ballot                  ARGV[3]  how much of the register's key stands before its name, bytes
-- Returns {1, the floor of ballots and this server's clock, as `moment` in lib/registers.lua has them, the register as it was
-- stored before, or '' where it was not}; {0, ballot promised}: an equal or higher one was promised.
-- Needs: registers

local stored = redis.call('GET', KEYS[2]) or ''
local promised = promised_in(stored)
if promised >= ARGV[2] then return { 0, promised } end
if stored == '' then
  redis.call('SET', KEYS[2], ARGV[2] .. NONE .. NONE .. NEVER .. '00')
  redis.call('ZADD', KEYS[3], int(now()), name_in(KEYS[2], ARGV[3]))
else
  redis.call('SETRANGE', KEYS[2], 0, ARGV[2])
end
return { 1, moment(), stored }
