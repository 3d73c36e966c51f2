-- Takes over the counters of another primary. No counter is ever lowered.
--   KEYS[2]  counters, current generation (hash)   KEYS[3]  counters, older generation (hash)
--   ARGV[2i], ARGV[2i + 1]  name i and its counter
-- Returns {1}.
-- Needs: counters

for i = 2, #ARGV, 2 do
  local counter = tonumber(ARGV[i + 1])
  local known, max = counter_and_max(KEYS[2], KEYS[3], ARGV[i])
  if known < counter then issue(KEYS[2], ARGV[i], counter, max) end
end
return { 1 }
