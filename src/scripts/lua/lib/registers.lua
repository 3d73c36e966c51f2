-- What a primary stores of a register, as one string: fields of fixed width, then the version as TypeScript has it, which no
-- script looks into (algorithms/register-text.ts).
--    1 ...  37  promised: no ballot below is promised or accepted any more
--   38 ...  74  the ballot accepted last, or NONE: nothing was accepted, it only promised
--   75 ... 111  the ballot that first proposed this version: its etag
--  112 ... 126  when the version ends, ms since 1970 by this server's clock, or zeros: it does not
--  127          1: live; 0: a tombstone
--  128          1: it was copied from another primary, so it may be below what this one promised, and is no vote; else 0
-- Ballots are strings of equal length, of digits and lower-case hex, ordered as strings. A primary has a floor of ballots,
-- the field `register_floor` of what it stores of the configuration: below it nothing is promised or accepted for any
-- register, so that a register can be removed of which somebody may still think that it was promised something.

local NONE = '000000000000:000000000000000000000000'
local NEVER = '000000000000000'
local HEAD = 128

local function promised_in(head)
  local promised = head == '' and NONE or string.sub(head, 1, 37)
  local floor = fence[5] or NONE
  return promised < floor and floor or promised
end

local function accepted_in(head) return head == '' and NONE or string.sub(head, 38, 74) end

local function head_of(key) return redis.call('GETRANGE', key, 0, HEAD - 1) end

-- The fields of a copy, in the order in which a reply has them. The version may have 64 KB: it becomes one string in Lua.
local function copy_in(key, head)
  local ends = string.sub(head, 112, 126)
  return promised_in(head), string.sub(head, 38, 74), string.sub(head, 75, 111),
    ends == NEVER and '' or int(tonumber(ends) - now()), string.sub(head, 127, 127), string.sub(head, 128, 128),
    redis.call('GETRANGE', key, HEAD, -1)
end
