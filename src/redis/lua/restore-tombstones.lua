-- Takes over tombstones of leases and attempts from another primary.
--   KEYS[i + 1]  tombstone i    ARGV[i + 1]  its time to live, ms
-- Returns {1}.

for i = 2, #KEYS do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[i]) then redis.call('SET', KEYS[i], 1, 'PX', ARGV[i]) end
end
return { 1 }
