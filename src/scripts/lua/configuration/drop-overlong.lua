-- Forgets live members that have more time left than their time to live: it was written by another server's clock, which
-- this primary was a replica of, or before its own was set back. Whoever lives is copied from the others.
--   KEYS[i + 1]  record of member i (hash)
-- Returns {1}.

for i = 2, #KEYS do
  local stored = redis.call('HMGET', KEYS[i], 'left', 'ttl')
  if stored[1] == '0' and redis.call('PTTL', KEYS[i]) > tonumber(stored[2]) then redis.call('UNLINK', KEYS[i]) end
end
return { 1 }
