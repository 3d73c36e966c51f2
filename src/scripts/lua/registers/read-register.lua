-- Reads what a primary has stored of a register. Changes nothing.
--   KEYS[2]  the register (string)
--   ARGV[2]  1: what was promised for it is at least the floor of ballots; 0: it is told as it is stored
-- Returns {1, register as lib/registers.lua has it, this server's clock in ms since 1970, or '' where the version does not
-- end}; {0}: there is none.
-- Needs: registers

local stored = redis.call('GET', KEYS[2])
if not stored then return { 0 } end
if ARGV[2] == '1' then stored = promised_in(stored) .. string.sub(stored, 38) end
return { 1, stored, string.sub(stored, 112, 126) == NEVER and '' or int(now()) }
