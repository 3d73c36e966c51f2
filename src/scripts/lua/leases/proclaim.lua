-- Changes the metadata of a lease, in the order of their revisions.
--   arg(1)  fencing token of the lease    arg(2)  revision: texts of one length, ordered as texts    arg(3)  metadata
-- Returns {1}: it has this revision or a later one now; {0}: the lease is not held here.
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
