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

-- Which register has this key.
local function name_in(key, before) return string.sub(key, before + 1) end

-- The floor of ballots, 37 characters, and this server's clock, ms since 1970, 15 digits: the same for all runs of a batch.
local its_moment
local function moment()
  its_moment = its_moment or (fence[5] or NONE) .. string.format('%015.0f', now())
  return its_moment
end
