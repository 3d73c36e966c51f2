-- Removes what is left of a register that was deleted, or of which a primary only promised something. Its floor of ballots
-- must be above all that was promised and accepted for it.
--   KEYS[2]  the register (string)
--   KEYS[3]  registers that may be removed, by when they were noted (sorted set)
--   KEYS[4]  names of all registers of which something was accepted (sorted set)
--   ARGV[2]  name of the register   ARGV[3]  ballot accepted, or NONE as in lib/registers.lua
--   ARGV[4]  until when it must stay, ms since 1970: it remembers idempotency keys; 0: it need not
-- Returns {1}: nothing is left of it; {0}: it has changed since, the floor is not above it, or it must stay: then it is noted
-- anew for the time after that.
-- Needs: registers

local head = head_of(KEYS[2])
if head ~= '' then
  if accepted_in(head) ~= ARGV[3] or string.sub(head, 127, 127) == '1' then return { 0 } end
  if string.sub(head, 1, 37) >= (fence[5] or NONE) then return { 0 } end
  if now() < tonumber(ARGV[4]) then
    redis.call('ZADD', KEYS[3], 'XX', ARGV[4], ARGV[2])
    return { 0 }
  end
  redis.call('UNLINK', KEYS[2])
end
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
return { 1 }
