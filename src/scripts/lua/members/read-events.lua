-- Reads what happened to the members of services, from a place in the stream of each on. A stream that is read from its
-- beginning, and is not there, begins with a mark: a place that readers can come back to.
--   KEYS[i + 1]  events of service i (stream)
--   ARGV[2]  '1': the streams do not end for the next two minutes, since they are read all the time; else ''
--   ARGV[3]  most events of a service    ARGV[4]  bytes of registered data after which no further service is looked at
--   ARGV[i + 4]  service i: the place of the first event to return, '0-1' for the beginning
-- Returns per service that was looked at {place of the first event of the stream if as many follow as may, else '', {place,
-- {field, text ...}} ...}.

local most, bytes_left = tonumber(ARGV[3]), tonumber(ARGV[4])
local replies = {}
for i = 1, #KEYS - 1 do
  local key, from = KEYS[i + 1], ARGV[i + 4]
  local found = redis.call('XRANGE', key, from, '+', 'COUNT', ARGV[3])
  if #found == 0 and from == '0-1' then
    -- Where the memory is full there is no place to come back to, and that is all.
    redis.pcall('XADD', key, '*', 'mark', '1')
    redis.call('PEXPIRE', key, '120000')
    found = redis.call('XRANGE', key, from, '+', 'COUNT', ARGV[3])
  elseif ARGV[2] == '1' then
    local left = redis.call('PTTL', key)
    if left >= 0 and left < 60000 then redis.call('PEXPIRE', key, '120000') end
  end
  local reply = { '' }
  if #found == most then reply[1] = redis.call('XRANGE', key, '-', '+', 'COUNT', '1')[1][1] end
  for j, event in ipairs(found) do
    reply[j + 1] = event
    bytes_left = bytes_left - #event[2][#event[2]]
  end
  replies[i] = reply
  if bytes_left <= 0 then break end
end
return replies
