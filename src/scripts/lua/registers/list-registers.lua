-- Lists what a primary has accepted of registers, in byte order of their names: as many as fit. Changes nothing.
--   KEYS[2]  names of all registers of which something was accepted (sorted set, all with one score)
--   ARGV[2]  prefix of the keys of registers
--   ARGV[3]  where to begin, as ZRANGEBYLEX has it     ARGV[4]  what all names begin with
--   ARGV[5]  maximum number of names     ARGV[6]  bytes of registers after which no more are looked at
--   ARGV[7]  what is told of each: `texts`: all; `heads`: all but the version; `digests`: the SHA-1 of the version in its place
-- Returns {this server's clock in ms since 1970, the last name that was looked at, or '' when all were, name, register as
-- lib/registers.lua has it, name, register ...}.
-- Needs: registers

local most, bytes_max = tonumber(ARGV[5]), tonumber(ARGV[6])
local names = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[3], '[' .. ARGV[4] .. '\255', 'LIMIT', 0, most)
local found = { int(now()), #names == most and names[most] or '' }
local bytes = 0
for _, name in ipairs(names) do
  if bytes >= bytes_max then break end
  local stored = redis.call('GETRANGE', ARGV[2] .. name, 0, ARGV[7] == 'heads' and HEAD - 1 or -1)
  if stored ~= '' then
    bytes = bytes + #stored
    if ARGV[7] == 'digests' then
      stored = string.sub(stored, 1, HEAD) .. redis.sha1hex(string.sub(stored, HEAD + 1))
    end
    found[#found + 1], found[#found + 2] = name, stored
    if bytes >= bytes_max then found[2] = name end
  end
end
return found
