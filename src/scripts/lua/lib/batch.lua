-- Runs another script several times, each time with keys and arguments of its own. SCRIPT is replaced by its text, without
-- the prelude, which stands in front of this file: the fence is read, and refuses, once for all runs. The error of a run is
-- its reply, and those behind it run all the same.
-- All runs have the same number of keys and of arguments. Most of these are equal, so that only the first run has them all,
-- and each other run has those at certain places: each argument costs some 1 % of an acquire.
--   KEYS[2 ...]  keys of the first run, then those of the next run at the places ARGV[3], and so on
--   ARGV[2]  how many runs
--   ARGV[3]  places in the KEYS of a run, '4 6 7'    ARGV[4]  places in its ARGV
--   ARGV[5 ...]  arguments of the first run, then those of the next run at the places ARGV[4], and so on
-- Returns the replies of all runs.

local function run(KEYS, ARGV)
--SCRIPT
end

local function numbers(text)
  local found = {}
  for number in string.gmatch(text, '%d+') do found[#found + 1] = tonumber(number) end
  return found
end

-- A global would be looked up at each use.
local KEYS, ARGV = KEYS, ARGV
local runs, key_places, arg_places = tonumber(ARGV[2]), numbers(ARGV[3]), numbers(ARGV[4])
local key, arg = #KEYS - (runs - 1) * #key_places, #ARGV - (runs - 1) * #arg_places
local keys, args = { unpack(KEYS, 1, key) }, { ARGV[1], unpack(ARGV, 5, arg) }
local replies = {}
for i = 1, runs do
  if i > 1 then
    for j = 1, #key_places do keys[key_places[j]] = KEYS[key + j] end
    for j = 1, #arg_places do args[arg_places[j]] = ARGV[arg + j] end
    key, arg = key + #key_places, arg + #arg_places
  end
  local ok, reply = pcall(run, keys, args)
  -- What `redis.call` raises is a text in Redis, but a table where pcall is Lua's own.
  replies[i] = ok and reply or { err = type(reply) == 'table' and reply.err or reply }
end
return replies
