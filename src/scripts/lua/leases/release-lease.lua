-- Ends a lease on this primary, with all its names, even if only some are given. A leaseId that a caller chose leaves a
-- tombstone, so that a late repeat of its acquire takes nothing. So does a release that arrives late, or that finds the
-- lease not held or only repaired: an acquire may still arrive after it. A reader always leaves a tombstone, since its
-- counter must stay as it is for other readers.
--   arg(1)  time to live of the tombstone, ms    arg(2)  '1' if a tombstone is left in any case, else ''
--   arg(3)  how the lease ends: 'released' or 'broken'    arg(4)  why it was broken, or ''
-- Returns {1, the last attempt that got it here} if this lease held a name, else {0}.
-- Plain path: release-plain
-- Needs: leases, queues

local tombstone_ms, always, kind, reason = args()
local held, due, ended, given, attempt = 0, always == '1' or shared, {}, {}, ''
for i = 1, names do given[field(i)] = true end

-- The other names of the lease behind a hold.
local function others(all, name)
  local found = {}
  for other in string.gmatch(all or '', '[^\n]+') do
    if other ~= name then found[#found + 1] = other end
  end
  return found
end

local function end_hold(key, name, counter)
  -- This comes first: a primary whose memory is full accepts any write from a script that has freed something.
  free(key, name)
  -- The counter goes above the lease's token: a delayed renewal must not repair a lease that was released.
  if not shared then
    local known, max = counter_and_max(counters, older_counters, name)
    issue(counters, name, math.max(known, tonumber(counter)) + 1, max)
  end
  ended[name] = true
end

for i = 1, names do
  local mine = redis.call('HMGET', own(i), 'lease', 'chosen', 'counter', 'names', 'repaired', 'attempt', 'bound')
  if mine[1] == lease then
    -- One that was broken stays in the list of its member, which is to be told of it.
    if mine[7] and kind == 'released' then redis.call('HDEL', mine[7], lease) end
    due = due or mine[2] == '1' or mine[5]
    attempt = mine[6] or ''
    end_hold(own(i), field(i), mine[3])
    for _, name in ipairs(others(mine[4], field(i))) do
      local key = shared and hold_of(name) .. '/' .. lease or hold_of(name)
      local other = redis.call('HMGET', key, 'lease', 'counter')
      if other[1] == lease then
        end_hold(key, name, other[2])
        if held_names and not given[name] then notify_first(queue_of(name), hold_of(name), not shared) end
      end
    end
  end
  if ended[field(i)] then held = held + 1 end
end
if due or held < names then redis.call('SET', lease_tombstone, tombstone_of(kind, reason), 'PX', tombstone_ms) end
if has_waiters() then
  leave()
  notify(not shared)
end
return held > 0 and { 1, attempt } or { 0 }
