-- An exclusive lease of one name that nobody waits for, granted by an attempt under an id that the service made.
-- Needs: counters

local lease, mode, names, optional, name, _, always = unpack(ARGV, 3)
if mode ~= 'shared' and names == '1' and (optional == 'h' or optional == '') and always == ''
  and string.sub(name, 1, 7) ~= 'permit/' then
  local hold, queue = unpack(KEYS, optional == 'h' and 6 or 5)
  -- Without a mode it may be a reader's.
  if redis.call('EXISTS', queue, mode == '' and hold .. '/' .. lease or queue) == 0 then
    local mine = redis.call('HMGET', hold, 'lease', 'chosen', 'counter', 'names', 'repaired', 'attempt')
    if mine[1] == lease and mine[2] ~= '1' and (mine[4] or '') == '' and not mine[5] then
      -- This comes first: a primary whose memory is full accepts any write from a script that has freed something.
      redis.call('DEL', hold)
      if optional == 'h' then redis.call('ZREM', KEYS[5], name) end
      local known, max = counter_and_max(KEYS[2], KEYS[3], name)
      issue(KEYS[2], name, math.max(known, tonumber(mine[3])) + 1, max)
      return { 1, mine[6] or '' }
    end
  end
end
