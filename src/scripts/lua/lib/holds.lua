-- What a hold tells others: not its secret.

-- {lease digest, time left in ms, mode, owner, metadata, counter at the grant, held for ms, counter, revision}
local function describe(key)
  local held = redis.call('HMGET', key, 'lease', 'mode', 'owner', 'metadata', 'g', 'since', 'counter', 'revision')
  return { redis.sha1hex(held[1]), redis.call('PTTL', key), held[2], held[3], held[4], held[5],
    now() - tonumber(held[6]), held[7], held[8] or '' }
end
