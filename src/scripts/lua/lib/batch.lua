-- Runs another script several times, each time with keys and arguments of its own. SCRIPT is replaced by its text, without
-- the prelude, which stands in front of this file: the fence is read, and refuses, once for all runs.
--   KEYS[2 ...]  keys of the first run, then those of the next, and so on
--   ARGV[2]  how many runs
--   ARGV[3 ...]  for each run: its number of keys, its number of arguments, and its arguments
-- Returns the replies of all runs.

local function run(KEYS, ARGV)
--SCRIPT
end

local replies, key, at = {}, 2, 3
for i = 1, tonumber(ARGV[2]) do
  local keys, args = { KEYS[1] }, { ARGV[1] }
  for j = 1, tonumber(ARGV[at]) do keys[j + 1] = KEYS[key + j - 1] end
  for j = 1, tonumber(ARGV[at + 1]) do args[j + 1] = ARGV[at + 1 + j] end
  key, at = key + #keys - 1, at + 1 + #args
  replies[i] = run(keys, args)
end
return replies
