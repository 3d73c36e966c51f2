-- Writes one member, live or as a tombstone, if the stored record is older: by incarnation, then a live record before the
-- tombstone of one that expired, then that before one that left, then by revision. Registration, changes, leaving and repair
-- all use this one script. What it stores is an event.
--   KEYS[2]  record of the member (hash)   KEYS[3]  deadlines of the service's members (sorted set)
--   KEYS[4]  deadlines of all services (sorted set)   KEYS[5]  deadlines of the service's tombstones (sorted set)
--   KEYS[6]  when the first member of each service may expire (sorted set)
--   KEYS[7]  events of the service (stream)
--   ARGV[2]  service        ARGV[3]  id           ARGV[4]  incarnation     ARGV[5]  revision
--   ARGV[6]  '0': live, '1': it left, '2': it expired, as a majority of primaries say
--   ARGV[7]  nonce of the registration; differs between two of one incarnation
--   ARGV[8]  time to live of the member, ms       ARGV[9]  time for which this record lives from now, ms
--   ARGV[10] what was registered, JSON            ARGV[11] age of the last heartbeat, ms
--   ARGV[12] status: 'up', 'draining' or 'restarting'
--   ARGV[13] nonce of the change that made this revision, '' for a registration; differs between two of one revision
--   ARGV[14] time after which it ends, whatever its heartbeats do, ms; '' for none. Of a tombstone: for how long it has been gone
--   ARGV[15] '1': the change itself, which is stored only where its claim stands (claim-change.lua); '2': a majority have this
--            revision, and it replaces an earlier one that expired; else ''
--   ARGV[16] what happened to make it so: a kind, a space, and why
-- Needs: lifetimes, events
-- Returns {1} if this or the very same record is stored, and lives as long as asked; else {0, incarnation stored}.

local incarnation, revision, life = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[9])
local is_live, ends_in, is_change = ARGV[6] == '0', tonumber(ARGV[14]), ARGV[15] == '1'
local time = now()
local RANKS = { ['0'] = 0, ['2'] = 1, ['1'] = 2 }

-- Removes more entries than one write adds, but only a few: the next write must not pay for thousands that ended at once.
local function trim(key)
  local ended = redis.call('ZRANGEBYSCORE', key, '-inf', int(time - LAPSED_MS), 'LIMIT', 0, 50)
  if #ended > 0 then redis.call('ZREM', key, unpack(ended)) end
end

local function let_live(life)
  local deadline = int(time + life)
  redis.call('PEXPIRE', KEYS[2], int(is_live and life + LAPSED_MS or life))
  redis.call('HSET', KEYS[2], 'deadline', deadline)
  for i = 3, 5 do trim(KEYS[i]) end
  redis.call('ZADD', KEYS[3], deadline, ARGV[3])
  -- For a tombstone as well: it is how a primary that is readmitted finds the members that it must not take for alive.
  redis.call('ZADD', KEYS[4], 'GT', deadline, ARGV[2])
  redis.call('ZADD', KEYS[6], 'LT', deadline, ARGV[2])
  if is_live then redis.call('ZREM', KEYS[5], ARGV[3]) else redis.call('ZADD', KEYS[5], deadline, ARGV[3]) end
  for i = 3, 6 do keep_for(KEYS[i], life + LAPSED_MS) end
end

local stored = redis.call('HMGET', KEYS[2], 'incarnation', 'revision', 'left', 'nonce', 'heartbeat', 'change', 'ends', 'claim',
  'announced', 'deadline', 'load')
local heartbeat = time - tonumber(ARGV[11])
local claimed, claimant = 0, nil
if stored[1] then
  local theirs, their_revision = tonumber(stored[1]), tonumber(stored[2])
  if theirs > incarnation then return { 0, stored[1] } end
  if theirs == incarnation then
    local outlives = stored[3] == '2' and is_live and ARGV[15] == '2' and revision > their_revision
    if stored[4] ~= ARGV[7] or RANKS[stored[3]] > RANKS[ARGV[6]] and not outlives then return { 0, stored[1] } end
    local left = left_of(KEYS[2], stored[10])
    if stored[3] == ARGV[6] and their_revision >= revision then
      local is_other = their_revision > revision and is_change or their_revision == revision and (stored[6] or '') ~= ARGV[13]
      if is_live and is_other then return { 0, stored[1] } end
      if is_live and stored[7] then life = math.min(life, tonumber(stored[7]) - time) end
      -- A heartbeat that restores its member counts on every primary that answers, even if that still had the member.
      if left < life then
        redis.call('HSET', KEYS[2], 'heartbeat', int(math.max(heartbeat, tonumber(stored[5]))))
        let_live(life)
      end
      return { 1 }
    end
    if stored[3] ~= '2' then life = math.max(life, left) end
    if stored[8] then
      local until_ms
      claimed, claimant, until_ms = string.match(stored[8], '^(%d+) (%S+) (%d+)$')
      claimed = tonumber(until_ms) > time and tonumber(claimed) or 0
    end
  end
end
-- A claim refuses what is below it: whatever a majority has stored is in what a later change begins from.
if is_live and claimed > revision then return { 0, stored[1] } end
if is_change and (claimed ~= revision or claimant ~= ARGV[13]) then return { 0, stored[1] or '0' } end

redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'incarnation', ARGV[4], 'revision', ARGV[5], 'left', ARGV[6], 'nonce', ARGV[7],
  'ttl', ARGV[8], 'registered', ARGV[10], 'heartbeat', int(heartbeat), 'status', ARGV[12], 'change', ARGV[13],
  'event', ARGV[16])
-- This primary's own deadline may not have passed: no vote.
if ARGV[6] == '2' then redis.call('HSET', KEYS[2], 'copied', '1') end
if ends_in and is_live then
  redis.call('HSET', KEYS[2], 'ends', int(time + ends_in))
  life = math.min(life, ends_in)
end
if not is_live then redis.call('HSET', KEYS[2], 'gone', int(time - (ends_in or 0))) end
if stored[9] and tonumber(string.match(stored[9], '^%d+')) > incarnation then
  redis.call('HSET', KEYS[2], 'announced', stored[9])
end
-- What heartbeats have stored stays with their incarnation.
if stored[11] and stored[1] == ARGV[4] then redis.call('HSET', KEYS[2], 'load', stored[11]) end
let_live(life)
-- Events are counted as votes, and what another primary says of the end of a member is none.
if ARGV[6] ~= '2' then
  append_event(KEYS[7], 'member', ARGV[3], 'incarnation', ARGV[4], 'revision', ARGV[5], 'left', ARGV[6], 'nonce', ARGV[7],
    'change', ARGV[13], 'status', ARGV[12], 'event', ARGV[16], 'registered', ARGV[10])
end
return { 1 }
