-- Stores what one reporter says against a member, unless more repetitions of it are stored.
--   KEYS[2]  reports about the member (hash): of each reporter 'until when it counts, when it was counted as a report of its
--            own (both by this server's clock, ms), incarnation, weight, how often it was said, reason'
--   KEYS[3]  members of the service that have reports: until when the last of them counts (sorted set)
--   ARGV[2]  id of the member      ARGV[3]  reporter      ARGV[4]  incarnation of the member that it is about
--   ARGV[5]  its weight            ARGV[6]  how often it was said
--   ARGV[7]  time for which it counts from now, ms        ARGV[8]  since it was counted as a report of its own, ms
--   ARGV[9]  how many reporters are kept per member       ARGV[10]  how many members with reports per service
--   ARGV[11] reason
-- Returns {1}: it is stored, or a later one is; {0}: too many members of the service have reports.

local time, lasts = now(), tonumber(ARGV[7])
local ends = int(time + lasts)

-- When a report ends, and how often it was said.
local function read(said)
  local deadline, times = string.match(said, '^(%d+) %d+ %d+ [%d.]+ (%d+) ')
  return tonumber(deadline), tonumber(times)
end

if not redis.call('ZSCORE', KEYS[3], ARGV[2]) and redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[10]) then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', int(time))
  if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[10]) then return { 0 } end
end

local stored = redis.call('HGET', KEYS[2], ARGV[3])
if stored then
  local _, times = read(stored)
  if times > tonumber(ARGV[6]) then return { 1 } end
elseif redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[9]) then
  local all, first, first_ends = redis.call('HGETALL', KEYS[2]), nil, nil
  for i = 1, #all, 2 do
    local deadline = read(all[i + 1])
    if not first or deadline < first_ends then first, first_ends = all[i], deadline end
  end
  redis.call('HDEL', KEYS[2], first)
end

redis.call('HSET', KEYS[2], ARGV[3],
  table.concat({ ends, int(time - tonumber(ARGV[8])), ARGV[4], ARGV[5], ARGV[6], ARGV[11] }, ' '))
-- Twice: a report that has ended is remembered for as long as it counted.
if redis.call('PTTL', KEYS[2]) < 2 * lasts then redis.call('PEXPIRE', KEYS[2], 2 * lasts) end
redis.call('ZADD', KEYS[3], 'GT', ends, ARGV[2])
if redis.call('PTTL', KEYS[3]) < lasts then redis.call('PEXPIRE', KEYS[3], lasts) end
return { 1 }
