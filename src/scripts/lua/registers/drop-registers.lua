-- Forgets registers of a primary that is being readmitted: it may lack later versions, or have some that were deleted. Only
-- until the copy of this configuration begins: another instance may be copying to it already.
--   KEYS[i + 1]  register i, or an index of registers
--   ARGV[2]  1: these were the last; the copy begins. Else 0
-- Returns {1}; {0}: the copy has begun.

if redis.call('HGET', KEYS[1], 'registers_of') == ARGV[1] then return { 0 } end
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
if ARGV[2] == '1' then redis.call('HSET', KEYS[1], 'registers_of', ARGV[1]) end
return { 1 }
