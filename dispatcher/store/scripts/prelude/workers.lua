-- Put in front of every script: which worker processes live, in the hash workers.
-- A process has a name, which it keeps over restarts, and an instance, which is new with each start. Its field is
-- "<instance> <heartbeat (ms)> <calls that it has room for>".
-- Heartbeats are times of the registry's own clock, the field :clock, "<clock (ms)> <TIME when it moved (ms)>". It goes
-- only while somebody calls, and one call moves it by a second at most. So a pause of Redis, of the machine or of
-- everybody, and a step of the server's clock, make nobody dead: those that live have time to say so.
-- workers:ended is TIME (ms) when a process ended that is registered no more.
-- Option `worker` is the process that runs this script, "<name> <instance> <room>", or empty when it is no worker.

local CLOCK = ':clock'

-- The clock as it is now, and TIME when it was written.
local function registry_clock(stored, now)
  local clock, moved = string.match(stored or '0 0', '^(%d+) (%d+)$')
  clock, moved = stored_number(clock), stored_number(moved)
  return clock + math.max(0, math.min(now - moved, LONGEST_STEP_MS)), moved
end

local function clock_text(clock, now) return text(clock) .. ' ' .. text(now) end

local function parse_worker(stored)
  local instance, heartbeat, room = string.match(stored or '', '^(%S+) (%d+) (%d+)$')
  return instance, tonumber(heartbeat), tonumber(room)
end

local function worker_text(instance, clock, room) return instance .. ' ' .. text(clock) .. ' ' .. room end

-- A process has ended. Returns 1 when it was registered until now.
local function remove_worker(name)
  local known = redis.call('HDEL', KEY.workers, name)
  -- a server that takes no writes removes it all the same
  if known == 1 then redis.pcall('SET', KEY['workers:ended'], text(now_ms())) end
  return known
end

-- A heartbeat of a process. False when another one has registered under its name since. A fresh heartbeat is not
-- written again.
local function renew(name, instance, room)
  local now = now_ms()
  local stored_clock, stored = unpack(redis.call('HMGET', KEY.workers, CLOCK, name))
  local clock = registry_clock(stored_clock, now)
  local known, heartbeat, known_room = parse_worker(stored)
  if known and known ~= instance then return false end
  if not known or clock - heartbeat >= RENEW_MS or (known_room == 0) ~= (tonumber(room) == 0) then
    -- a server that takes no writes refuses what the script is for, not that its worker lives
    redis.pcall('HSET', KEY.workers, CLOCK, clock_text(clock, now), name, worker_text(instance, clock, room))
  end
  return true
end

-- Every script of a worker is a heartbeat of it.
local worker_name, worker_instance, worker_room = string.match(OPTIONS.worker, '^(%S+) (%S+) (%d+)$')
local is_registered = worker_name and renew(worker_name, worker_instance, worker_room)
