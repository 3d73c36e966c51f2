-- First half of a change of a register (CASPaxos): promises to accept nothing below a ballot.
--   KEYS[2]  the register (string)   KEYS[3]  registers that may be removed, by when they were noted (sorted set)
--   ARGV[2]  ballot                  ARGV[3]  name of the register
-- Returns {1, floor, this server's clock in ms since 1970, ballot promised, ballot accepted, etag, time left in ms or '',
-- 1: live or 0, 1: copied or 0, version}, as lib/registers.lua has them; {1, floor, this server's clock}: nothing was accepted;
-- {0, ballot promised}: an equal or higher one was promised.
-- Needs: registers

local head = head_of(KEYS[2])
local promised = promised_in(head)
if promised >= ARGV[2] then return { 0, promised } end
if head == '' then
  redis.call('SET', KEYS[2], ARGV[2] .. NONE .. NONE .. NEVER .. '00')
  redis.call('ZADD', KEYS[3], int(now()), ARGV[3])
else
  redis.call('SETRANGE', KEYS[2], 0, ARGV[2])
end
if accepted_in(head) == NONE then return { 1, fence[5] or NONE, int(now()) } end
return { 1, fence[5] or NONE, int(now()), copy_in(KEYS[2], head) }
