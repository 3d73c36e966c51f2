-- Guards against mass expiry: while one lasts, no member of its service expires on this primary.

-- For how long members of a service are held back whose time is over, ms; nil: they are not. -1: a guard is to begin, since
-- more than `percent` of a service of `least` members or more are late together. `ttl`: of the member whose time is over; one
-- whose deadline comes within less than half of it has missed a heartbeat. After a guard there is none for a while.
local function held_for(guard, members, tombstones, ttl, percent, least)
  local ends = redis.call('HGET', guard, 'until')
  if ends then
    local left = tonumber(ends) - now()
    return left > 0 and left or nil
  end
  local all = redis.call('ZCARD', members) - redis.call('ZCARD', tombstones)
  if all < tonumber(least) then return nil end
  local soon = int(now() + 0.4 * tonumber(ttl))
  local late = redis.call('ZCOUNT', members, '-inf', soon) - redis.call('ZCOUNT', tombstones, '-inf', soon)
  return late * 100 > all * tonumber(percent) and -1 or nil
end
