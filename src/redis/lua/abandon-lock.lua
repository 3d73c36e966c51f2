-- Clean-up: takes back one attempt. Its holds are freed when no other attempt of the same lease is left in them, and no
-- renewal has counted them.
--   arg(1)  nonce of the attempt
--   arg(2)  time for which the attempt is refused from now on, ms; '0': no message of it can still be under way
-- Returns {1} when holds were freed, else {0}.

if arg(2) ~= '0' then redis.call('SET', KEYS[7], 1, 'PX', arg(2)) end
local freed = 0
for i = 1, names do
  if redis.call('HDEL', own(i), 'nonce:' .. arg(1)) == 1 then
    local other = false
    for _, name in ipairs(redis.call('HKEYS', own(i))) do
      other = other or name == 'kept' or string.sub(name, 1, 6) == 'nonce:'
    end
    if not other then
      free(own(i), field(i))
      freed = 1
    end
  end
end
if freed == 1 and is_waited_for() then wake() end
return { freed }
