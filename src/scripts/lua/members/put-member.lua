-- Writes one member, live or as a tombstone, if the stored record is older: by incarnation, then a live record before a
-- tombstone, then by revision. Registration, leaving and repair all use this one script.
--   KEYS[2]  record of the member (hash)   KEYS[3]  deadlines of the service's members (sorted set)
--   KEYS[4]  deadlines of all services (sorted set)   KEYS[5]  deadlines of the service's tombstones (sorted set)
--   ARGV[2]  service        ARGV[3]  id           ARGV[4]  incarnation     ARGV[5]  revision
--   ARGV[6]  '1' for a tombstone, else '0'        ARGV[7]  nonce of the registration; differs between two of one incarnation
--   ARGV[8]  time to live of the member, ms       ARGV[9]  time for which this record lives from now, ms
--   ARGV[10] what was registered, JSON            ARGV[11] age of the last heartbeat, ms
-- Returns {1} if this or the very same record is stored, and lives as long as asked; else {0, incarnation stored}.

local incarnation, revision, life = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[9])
local time = now()

-- Removes more entries than one write adds, but only a few: the next write must not pay for thousands that ended at once.
local function trim(key)
  local ended = redis.call('ZRANGEBYSCORE', key, '-inf', int(time), 'LIMIT', 0, 50)
  if #ended > 0 then redis.call('ZREM', key, unpack(ended)) end
end

local function let_live(life)
  local ends = int(time + life)
  redis.call('PEXPIRE', KEYS[2], life)
  for i = 3, 5 do trim(KEYS[i]) end
  redis.call('ZADD', KEYS[3], ends, ARGV[3])
  if redis.call('PTTL', KEYS[3]) < life then redis.call('PEXPIRE', KEYS[3], life) end
  -- For a tombstone as well: it is how a primary that is readmitted finds the members that it must not take for alive.
  redis.call('ZADD', KEYS[4], 'GT', ends, ARGV[2])
  if redis.call('PTTL', KEYS[4]) < life then redis.call('PEXPIRE', KEYS[4], life) end
  if ARGV[6] == '1' then
    redis.call('ZADD', KEYS[5], ends, ARGV[3])
    if redis.call('PTTL', KEYS[5]) < life then redis.call('PEXPIRE', KEYS[5], life) end
  else
    redis.call('ZREM', KEYS[5], ARGV[3])
  end
end

local stored = redis.call('HMGET', KEYS[2], 'incarnation', 'revision', 'left', 'nonce', 'heartbeat')
local heartbeat = time - tonumber(ARGV[11])
if stored[1] then
  local theirs = tonumber(stored[1])
  if theirs > incarnation then return { 0, stored[1] } end
  if theirs == incarnation then
    if stored[4] ~= ARGV[7] then return { 0, stored[1] } end
    if stored[3] > ARGV[6] then return { 0, stored[1] } end
    local left = redis.call('PTTL', KEYS[2])
    if stored[3] == ARGV[6] and tonumber(stored[2]) >= revision then
      -- A heartbeat that restores its member counts on every primary that answers, even if that still had the member.
      if left < life then
        redis.call('HSET', KEYS[2], 'heartbeat', int(math.max(heartbeat, tonumber(stored[5]))))
        let_live(life)
      end
      return { 1 }
    end
    life = math.max(life, left)
  end
end

-- What heartbeats have stored is that of their incarnation. Either write comes first: it frees or extends something.
if stored[1] == ARGV[4] then redis.call('PEXPIRE', KEYS[2], life) else redis.call('DEL', KEYS[2]) end
redis.call('HSET', KEYS[2], 'incarnation', ARGV[4], 'revision', ARGV[5], 'left', ARGV[6], 'nonce', ARGV[7],
  'ttl', ARGV[8], 'registered', ARGV[10], 'heartbeat', int(heartbeat))
let_live(life)
return { 1 }
