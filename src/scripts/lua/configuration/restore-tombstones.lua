-- Takes over tombstones of leases and attempts from another primary. A tombstone that is here already gets the
-- longer time to live of the two, and the more informative text: that the lease was broken, and why.
--   KEYS[i + 1]  tombstone i    ARGV[2i]  its text    ARGV[2i + 1]  its time to live, ms
-- Returns {1}.

local function is_broken(text) return string.sub(text, 1, 6) == 'broken' end

for i = 2, #KEYS do
  local text, ttl = ARGV[2 * i - 2], tonumber(ARGV[2 * i - 1])
  local here = redis.call('GET', KEYS[i])
  if here and (is_broken(here) or not is_broken(text)) then text = here end
  redis.call('SET', KEYS[i], text, 'PX', math.max(ttl, redis.call('PTTL', KEYS[i])))
end
return { 1 }
