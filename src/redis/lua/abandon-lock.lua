-- Clean-up: takes back one attempt. The hold is freed when no other attempt of the same lease is left in it.
--   KEYS[2]  hold of the name (hash)            KEYS[3]  tombstone of the attempt
--   ARGV[2]  nonce of the attempt
--   ARGV[3]  time for which the attempt is refused from now on, ms; '0': no message of it can still be under way
-- Returns {1} when the hold was freed, else {0}.

if ARGV[3] ~= '0' then redis.call('SET', KEYS[3], 1, 'PX', ARGV[3]) end
if redis.call('HDEL', KEYS[2], 'nonce:' .. ARGV[2]) == 0 then return { 0 } end
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  if string.sub(field, 1, 6) == 'nonce:' then return { 0 } end
end
redis.call('DEL', KEYS[2])
return { 1 }
