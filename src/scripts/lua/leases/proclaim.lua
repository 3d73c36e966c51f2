-- Changes the metadata of a lease, in the order of their revisions.
--   arg(1)  fencing token of the lease    arg(2)  revision: texts of one length, whose order is theirs    arg(3)  metadata
-- Returns {1}: it has this revision or a later one now; {0}: the lease is not held here.
-- Needs: leases

for i = 1, names do
  if not is_mine(i) or tonumber(redis.call('HGET', own(i), 'g')) > tonumber(arg(1)) then return { 0 } end
end
for i = 1, names do
  if (redis.call('HGET', own(i), 'revision') or '') < arg(2) then
    redis.call('HSET', own(i), 'revision', arg(2), 'metadata', arg(3))
  end
end
return { 1 }
