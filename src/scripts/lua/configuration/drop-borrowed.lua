-- Forgets members whose time was set by another clock: all but those that left where this primary was a replica of another and
-- has that one's data; else live ones with more time left than their time to live, from before its own clock was set back. Members
-- that are alive are copied from other primaries.
--   KEYS[i + 1]  record of member i (hash); none: all were looked at, and what is stored from now on is this primary's own
-- Needs: lifetimes
-- Returns {1}.

if #KEYS == 1 then redis.call('HDEL', KEYS[1], 'borrowed') end
local borrowed = redis.call('HEXISTS', KEYS[1], 'borrowed') == 1
for i = 2, #KEYS do
  local stored = redis.call('HMGET', KEYS[i], 'left', 'ttl', 'deadline')
  local is_ahead = stored[1] == '0' and left_of(KEYS[i], stored[3]) > tonumber(stored[2])
  if is_ahead or borrowed and stored[1] and stored[1] ~= '1' then
    redis.call('UNLINK', KEYS[i])
  end
end
return { 1 }
