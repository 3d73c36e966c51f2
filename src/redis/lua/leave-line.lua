-- Takes a lease out of the lines, or keeps its place for a while for a client that may come back.
--   arg(1)  how long the place is kept, ms; '0': not at all
--   arg(2)  '1' to wake who comes first now, '' where this lease was granted and nobody can be
-- Returns {1}.

local waiting = redis.call('GET', base .. 'lease/' .. lease)
if arg(1) ~= '0' and waiting then
  redis.call('SET', base .. 'lease/' .. lease, '\n' .. string.match(waiting, '\n(.*)$'), 'PX', arg(1))
else
  leave()
  if arg(2) == '1' then wake() end
end
return { 1 }
