-- Ends a lease on this primary. An id that a caller chose leaves a tombstone, so that a late repetition of its
-- acquire takes nothing; so does a release that reaches a primary late, or where the lease is not held: an acquire,
-- sent by another instance, may still come behind it. A reader's always does: its counter must stay for other readers.
--   arg(1)  tombstone, where one is due, ms    arg(2)  '1' when a tombstone is due in any case, else ''
-- Returns {1} when this lease held a name, else {0}.

local held, due = 0, arg(2) == '1' or shared
for i = 1, names do
  local mine = redis.call('HMGET', own(i), 'lease', 'chosen', 'counter')
  if mine[1] == lease then
    held = held + 1
    due = due or mine[2] == '1'
    -- Above its token: a delayed renewal must not repair what was released.
    if not shared then
      local counter, max = counter_and_max(KEYS[2], KEYS[3], field(i))
      issue(KEYS[2], field(i), math.max(counter, tonumber(mine[3])) + 1, max)
    end
    free(i)
  end
end
if due or held < names then redis.call('SET', KEYS[4], 'released', 'PX', arg(1)) end
if is_waited_for() then
  leave()
  wake()
end
return { held > 0 and 1 or 0 }
