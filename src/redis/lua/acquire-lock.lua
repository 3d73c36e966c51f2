-- Votes for one attempt to take a lock: takes it when it is free, repeats the vote when this lease has it already.
--   KEYS[2]  hold of the name (hash)            KEYS[3]  counters, current generation (hash)
--   KEYS[4]  counters, older generation (hash)  KEYS[5]  tombstone of the lease
--   KEYS[6]  tombstone of the attempt
--   ARGV[2]  counter field of the name          ARGV[3]  leaseId
--   ARGV[4]  nonce of the attempt               ARGV[5]  time to live, ms
--   ARGV[6]  mode                               ARGV[7]  owner, a label for others
--   ARGV[8]  metadata, JSON                     ARGV[9]  '1' when the caller chose the leaseId, else ''
-- Returns {1, counter}: granted; {0, 'held', lease digest, time left in ms, mode, owner, metadata, counter at the
-- grant, held for ms}: another lease has it; {0, 'gone'}: the lease was released, or the attempt given up;
-- {0, 'quarantined', ms}: this primary came back without its data and grants no new lease for so long.

if redis.call('EXISTS', KEYS[5], KEYS[6]) > 0 then return { 0, 'gone' } end

local time, ttl = now(), tonumber(ARGV[5])
local held = redis.call('HMGET', KEYS[2], 'lease', 'mode', 'owner', 'metadata', 'g', 'since', 'counter')

if held[1] and held[1] ~= ARGV[3] then
  return { 0, 'held', redis.sha1hex(held[1]), redis.call('PTTL', KEYS[2]), held[2], held[3], held[4], held[5],
    time - tonumber(held[6]) }
end

local counter
if held[1] then
  counter = tonumber(held[7])
  redis.call('HSET', KEYS[2], 'nonce:' .. ARGV[4], 1)
  if ARGV[9] == '1' then redis.call('HSET', KEYS[2], 'chosen', 1) end
  -- A late message never shortens a hold.
  if redis.call('PTTL', KEYS[2]) < ttl then redis.call('PEXPIRE', KEYS[2], ttl) end
else
  local quarantine = tonumber(fence[3] or 0) - time
  if quarantine > 0 then return { 0, 'quarantined', quarantine } end
  -- It is over for good: a clock that is set back later must not bring it back.
  if tonumber(fence[3] or 0) > 0 then redis.call('HSET', KEYS[1], 'quarantine_until', 0) end
  counter = eff(KEYS[3], KEYS[4], ARGV[2]) + 1
  issue(KEYS[3], ARGV[2], counter)
  -- The counter as well: the name's own may be forgotten, for a floor above it, while a lease is renewed for days.
  redis.call('HSET', KEYS[2], 'lease', ARGV[3], 'g', int(counter), 'counter', int(counter), 'mode', ARGV[6],
    'owner', ARGV[7], 'metadata', ARGV[8], 'since', int(time), 'chosen', ARGV[9], 'nonce:' .. ARGV[4], 1)
  redis.call('PEXPIRE', KEYS[2], ttl)
end
mark_lease(time, ttl)
return { 1, int(counter) }
