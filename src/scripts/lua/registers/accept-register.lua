-- Second half of a change of a register: accepts a version, unless a higher ballot was promised. The same message twice does
-- no harm, nor does one that passes on what was accepted elsewhere.
--   KEYS[2]  the register (string)
--   KEYS[3]  registers that may be removed, by when they were noted (sorted set)
--   KEYS[4]  names of all registers of which something was accepted (sorted set)
--   KEYS[5]  registers whose version ends, by when (sorted set)
--   ARGV[2]  ballot        ARGV[3]  how much of the register's key stands before its name, bytes
--   ARGV[4]  etag; '': it is the ballot
--   ARGV[5]  time left, ms, or '': the version does not end
--   ARGV[6]  1: live; 0: a tombstone                         ARGV[7]  version
--   ARGV[8]  channel where a new version is published, as its etag and the name. Costs 0.8 us where nobody listens. If the
--            Redis user may not publish, those that wait for a change learn of it later, and nothing fails
-- Returns {1}: accepted; {0, ballot promised}: a higher one was promised.
-- Needs: registers

local head = head_of(KEYS[2])
local promised, accepted = promised_in(head), accepted_in(head)
if accepted == ARGV[2] and string.sub(head, 128, 128) == '0' then return { 1 } end
if promised > ARGV[2] then return { 0, promised } end

local etag = ARGV[4] == '' and ARGV[2] or ARGV[4]
local is_same = string.sub(head, 75, 111) == etag
local was_live = string.sub(head, 127, 127) == '1'
local ended, ends = string.sub(head, 112, 126), NEVER
-- A version that this primary has already ends when it noted: accepting it again must not let it live longer.
if ARGV[5] ~= '' then
  if not is_same or ended == NEVER then ends = string.format('%015.0f', now() + math.max(0, tonumber(ARGV[5]))) else ends = ended end
end
redis.call('SET', KEYS[2], ARGV[2] .. ARGV[2] .. etag .. ends .. ARGV[6] .. '0' .. ARGV[7])
-- One version may be accepted in two forms: with the intent of a transaction, which makes even what is not there live, or where
-- a change that was tried again after another made something else.
if is_same and ends == ended and was_live == (ARGV[6] == '1') then return { 1 } end

local name = name_in(KEYS[2], ARGV[3])
if ARGV[6] == '0' then redis.call('ZADD', KEYS[3], int(now()), name)
elseif head ~= '' and not was_live then redis.call('ZREM', KEYS[3], name) end
if accepted == NONE then redis.call('ZADD', KEYS[4], 0, name) end
if ends ~= NEVER then redis.call('ZADD', KEYS[5], ends, name)
elseif head ~= '' and ended ~= NEVER then redis.call('ZREM', KEYS[5], name) end
redis.pcall('PUBLISH', ARGV[8], etag .. ' ' .. name)
return { 1 }
