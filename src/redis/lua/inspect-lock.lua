-- Tells who holds a name here. Changes nothing.
--   KEYS[2]  hold of the name (hash)            KEYS[3]  counters, current generation (hash)
--   KEYS[4]  counters, older generation (hash)
--   ARGV[2]  counter field of the name
-- Returns {counter} when nobody does, else {counter of the lease, lease digest, time left in ms, mode, owner, metadata,
-- counter at the grant, held for ms}.

local held = redis.call('HMGET', KEYS[2], 'lease', 'mode', 'owner', 'metadata', 'g', 'since', 'counter')
if not held[1] then return { int(eff(KEYS[3], KEYS[4], ARGV[2])) } end
return { held[7], redis.sha1hex(held[1]), redis.call('PTTL', KEYS[2]), held[2], held[3], held[4], held[5],
  now() - tonumber(held[6]) }
