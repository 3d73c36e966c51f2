-- Begins the guard of a service against mass expiry: until it ends, no member of the service expires on this primary. Where one
-- is known, which may have ended, it changes nothing.
--   KEYS[2]  the guard (hash)
--   ARGV[2]  time until it ends, ms    ARGV[3]  time until another may begin, ms
-- Returns {1}.

if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('HSET', KEYS[2], 'until', int(now() + tonumber(ARGV[2])))
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return { 1 }
