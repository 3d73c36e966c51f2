-- Reads what a primary has accepted of a register. Changes nothing.
--   KEYS[2]  the register (string)
--   ARGV[2]  1: tells also of one of which nothing was accepted, only promised; else 0
-- Returns {1, ballot promised, ballot accepted, etag, time left in ms or '', 1: live or 0, 1: copied or 0, version}, as
-- lib/registers.lua has them; {0}: there is none.
-- Needs: registers

local head = head_of(KEYS[2])
if head == '' or ARGV[2] == '0' and accepted_in(head) == NONE then return { 0 } end
return { 1, copy_in(KEYS[2], head) }
