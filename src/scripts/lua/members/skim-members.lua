-- Tells what a list shows of members of a service, by the ids given and in their order: as many as fit. Where a majority have the
-- same that is all a list needs, and it costs half of list-members.lua. Changes nothing.
--   KEYS[2]  members of the service that have reports against them (sorted set of deadlines)
--   ARGV[2]  prefix of the keys of this service's records
--   ARGV[3]  '1': all that a list shows; '': only what tells whether another primary has the same
--   ARGV[4]  bytes of registered data and load after which no more members are told of
--   ARGV[i + 4]  id of member i; each takes a few microseconds
-- Returns {how many ids were looked at, the time now, a text that has of each of them the lines incarnation, revision, left, last
-- heartbeat, deadline, the load that was reported as JSON, '1' where there are reports against it; and, of all that a list shows,
-- time to live in ms, what was registered as JSON, status, when it ends whatever its heartbeats do}. What is not there is ''. All
-- times by the clock of this primary, in ms. One text, since a reply for each field would cost more than to find it.

local time, bytes, most, at = now(), 0, tonumber(ARGV[4]), 0
local lines, looked_at, is_all = {}, #ARGV - 4, ARGV[3] == '1'
local some_reported = redis.call('EXISTS', KEYS[2]) == 1

local function reported(id)
  local ends = redis.call('ZSCORE', KEYS[2], id)
  return ends and tonumber(ends) > time and '1' or ''
end

for i = 5, #ARGV do
  local key, stored = ARGV[2] .. ARGV[i], nil
  if is_all then
    stored = redis.call('HMGET', key, 'incarnation', 'revision', 'left', 'heartbeat', 'deadline', 'load',
      'ttl', 'registered', 'status', 'ends')
  else
    stored = redis.call('HMGET', key, 'incarnation', 'revision', 'left', 'heartbeat', 'deadline', 'load')
  end
  local load = stored[6] or ''
  lines[at + 1], lines[at + 2], lines[at + 3] = stored[1] or '', stored[2] or '', stored[3] or ''
  lines[at + 4], lines[at + 5], lines[at + 6] = stored[4] or '', stored[5] or '', load
  lines[at + 7] = some_reported and reported(ARGV[i]) or ''
  at = at + 7
  if is_all then
    local registered = stored[8] or ''
    lines[at + 1], lines[at + 2] = stored[7] or '', registered
    lines[at + 3], lines[at + 4] = stored[9] or '', stored[10] or ''
    at = at + 4
    bytes = bytes + #registered + #load
    if bytes >= most then
      looked_at = i - 4
      break
    end
  end
end
return { looked_at, int(time), table.concat(lines, '\n') }
