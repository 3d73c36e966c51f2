-- The counters of names, from which their tokens are made, and the lease high-water mark of this primary.

-- The counter of a name: from the current generation, else from the older one, and never below the floor. A floor that was
-- raised by a cold start, or taken over from others, stands for what this primary has forgotten. The counter never falls.
-- Also returns `max`, the highest counter of the current generation, from which the next floor is made. The field cannot
-- be a name, since it has no slash.
local function counter_and_max(current, older, field)
  local known = redis.call('HMGET', current, field, 'max')
  local counter = tonumber(known[1] or redis.call('HGET', older, field) or 0)
  return math.max(counter, tonumber(fence[2] or 0)), tonumber(known[2] or 0)
end

-- Writes a counter. Returns it as text.
local function issue(current, field, counter, max)
  local text = int(counter)
  if max >= counter then
    redis.call('HSET', current, field, text)
  else
    redis.call('HSET', current, field, text, 'max', text)
  end
  return text
end

-- Raises the lease high-water mark to `time` + `ttl`, until when a lease may live: a primary that forgets must grant none
-- until then. The mark is set a second further than needed, so that it is written only about once a second.
local function mark_lease(time, ttl)
  if time + ttl <= tonumber(fence[4] or 0) then return end
  local mark = int(time + ttl + 1000)
  redis.call('HSET', KEYS[1], 'leases_until', mark)
  -- The next run of a batch must not set it back.
  fence[4] = mark
end
