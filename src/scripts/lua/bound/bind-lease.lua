-- Notes a lease in the list of the member that keeps it alive, or asks only whether it might. The list tells where to look:
-- each lease in it is renewed by votes of its own.
--   KEYS[2]  record of the member (hash)    KEYS[3]  its list: of one incarnation (hash)
--   KEYS[i + 3]  hold of resource i of the lease (hash); a reader's is beside it, as leases.lua describes
--   ARGV[2]  incarnation    ARGV[3]  nonce of the registration    ARGV[4]  leaseId, or '' to ask only
--   ARGV[5]  fencing token of the lease    ARGV[6]  the lease as text    ARGV[7]  leases that a member may have
--   ARGV[8]  for how long the list is kept, ms
-- Needs: lifetimes
-- Returns {1}: it is in the list, or might be; {0, 'unknown'}: no such member lives here; {0, 'superseded'}: a later incarnation is
-- stored; {0, 'wrong-key'}: the registration has another nonce; {0, 'full'}: the member has as many leases as it may.

local incarnation, nonce, lease, token, text = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local most, kept = tonumber(ARGV[7]), tonumber(ARGV[8])
local stored = redis.call('HMGET', KEYS[2], 'incarnation', 'left', 'nonce', 'deadline')
if stored[1] and tonumber(stored[1]) > tonumber(incarnation) then return { 0, 'superseded' } end
if stored[1] ~= incarnation or stored[2] ~= '0' or left_of(KEYS[2], stored[4]) <= 0 then return { 0, 'unknown' } end
if stored[3] ~= nonce then return { 0, 'wrong-key' } end

local known = redis.call('HGET', KEYS[3], lease)
if not known and redis.call('HLEN', KEYS[3]) >= most then return { 0, 'full' } end
if lease == '' then return { 1 } end
-- A late message knows an earlier grant of the same leaseId.
if not known or tonumber(string.match(known, '^%d+')) <= tonumber(token) then
  redis.call('HSET', KEYS[3], lease, token .. ' ' .. text)
end
keep_for(KEYS[3], kept, 1000)
-- So that a release finds the list.
for i = 4, #KEYS do
  for _, hold in ipairs({ KEYS[i], KEYS[i] .. '/' .. lease }) do
    if redis.call('HGET', hold, 'lease') == lease then redis.call('HSET', hold, 'bound', KEYS[3]) end
  end
end
return { 1 }
