-- What happened to the members of a service, as a stream: each event is appended by the script that stores what it tells of.

-- Appends an event, as pairs of a field and its text; the longest comes last, under `registered`. The stream keeps the latest
-- 1,000, and a few more, for an hour after the last.
local function append_event(events, ...)
  redis.call('XADD', events, 'MAXLEN', '~', '1000', '*', ...)
  redis.call('PEXPIRE', events, '3600000')
end
