-- Describes what is reported about members of a service, by the ids given, and counts the members. Changes nothing.
--   KEYS[2]  deadlines of the service's members (sorted set)    KEYS[3]  deadlines of its tombstones (sorted set)
--   ARGV[2]  prefix of the keys of this service's records       ARGV[3]  prefix of the keys of reports about its members
--   ARGV[i + 3]  id of member i
-- Returns {how many members, {id, incarnation, left, time to live in ms, time by this server's clock in ms, {reporter, what it
-- says, as put-report.lua writes it, ...}} ...}; a member that is not stored is left out. Reading what each says is left to the
-- caller: here it would take ten times as long as all the rest.

local time = int(now())
local replies = { redis.call('ZCOUNT', KEYS[2], time, '+inf') - redis.call('ZCOUNT', KEYS[3], time, '+inf') }

for i = 4, #ARGV do
  local record = redis.call('HMGET', ARGV[2] .. ARGV[i], 'incarnation', 'left', 'ttl')
  if record[1] then
    local reports = redis.call('HGETALL', ARGV[3] .. ARGV[i])
    replies[#replies + 1] = { ARGV[i], record[1], record[2], record[3], time, reports }
  end
end
return replies
