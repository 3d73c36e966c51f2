-- Claims the next revision of a live member for one change, on top of the revision that it changes. Two changes that begin
-- from one revision never both get a majority of claims. What was claimed refuses lower revisions, so a change that was
-- claimed later has seen every earlier one that a majority stored, and those that it has not seen fail.
--   KEYS[2]  record of the member (hash)
--   ARGV[2]  its incarnation    ARGV[3]  the revision that is changed    ARGV[4]  the revision that is claimed
--   ARGV[5]  nonce of the change    ARGV[6]  for how long the claim stands, ms
-- Returns {1, revision} if it is claimed; else {0, a revision above which it may be claimed}.

local stored = redis.call('HMGET', KEYS[2], 'incarnation', 'revision', 'left', 'claim')
local time, revision, claimed = now(), tonumber(ARGV[4]), 0
if stored[1] ~= ARGV[2] or stored[3] ~= '0' then return { 0, '0' } end
if stored[4] then
  local its_revision, nonce, until_ms = string.match(stored[4], '^(%d+) (%S+) (%d+)$')
  if tonumber(until_ms) > time and nonce ~= ARGV[5] then claimed = tonumber(its_revision) end
end
if stored[2] ~= ARGV[3] or claimed >= revision then return { 0, int(math.max(claimed, tonumber(stored[2]))) } end
redis.call('HSET', KEYS[2], 'claim', ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. int(time + tonumber(ARGV[6])))
return { 1, ARGV[4] }
