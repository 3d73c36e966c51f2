-- Forgets live members with more time left than their time to live: it was written by the clock of another server, of which
-- this primary was a replica, or before its own clock was set back. Members that are alive are copied from other primaries.
--   KEYS[i + 1]  record of member i (hash)
-- Returns {1}.

for i = 2, #KEYS do
  local stored = redis.call('HMGET', KEYS[i], 'left', 'ttl')
  if stored[1] == '0' and redis.call('PTTL', KEYS[i]) > tonumber(stored[2]) then redis.call('UNLINK', KEYS[i]) end
end
return { 1 }
