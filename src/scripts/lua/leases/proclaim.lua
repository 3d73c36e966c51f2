-- Changes the metadata of a lease, in the order of the revisions.
--   arg(1)  fencing token of the lease    arg(2)  revision: strings of equal length, ordered as strings    arg(3)  metadata
-- Returns {1}: the lease now has this revision or a later one; {0}: the lease is not held here.
-- Needs: leases

local token, revision, metadata = args()
for i = 1, names do
  if not is_mine(i) or tonumber(redis.call('HGET', own(i), 'g')) > tonumber(token) then return { 0 } end
end
for i = 1, names do
  if (redis.call('HGET', own(i), 'revision') or '') < revision then
    redis.call('HSET', own(i), 'revision', revision, 'metadata', metadata)
  end
end
return { 1 }
