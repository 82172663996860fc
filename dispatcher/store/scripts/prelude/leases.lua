-- Put in front of the scripts that make, take and give back leases: the leases that are open, in the hash leases.
-- A lease is "<made (ms)> <announced (ms)> <jobs left> <class> <1 if it tries a suspect> <worker> <its instance>"; the
-- last two are - until a worker has fetched it. What it says to its worker is in lease:<id>.

local NOBODY = '-'

-- A full server refuses a script whose first write takes memory. What was accepted goes on: this one takes none.
local function write_though_full() redis.call('HDEL', KEY.leases, NOBODY) end

local function load_lease(stored)
  local made, announced, left, class, suspect, name, instance =
    string.match(stored or '', '^(%d+) (%d+) (%d+) (%a+) ([01]) (%S+) (%S+)$')
  if not made then return nil end
  return {made = tonumber(made), announced = tonumber(announced), left = tonumber(left), class = class,
    suspect = suspect, name = name, instance = instance}
end

local function save_lease(id, lease)
  local numbers = text(lease.made) .. ' ' .. text(lease.announced) .. ' ' .. text(lease.left)
  local words = table.concat({lease.class, lease.suspect, lease.name, lease.instance}, ' ')
  redis.call('HSET', KEY.leases, id, numbers .. ' ' .. words)
end

local function forget_lease(id)
  redis.call('HDEL', KEY.leases, id)
  redis.call('DEL', lease_key(id))
end

-- Which worker processes live: the instance of each by its name, how many they are, whether one of them has room.
local function living_workers()
  local all, now, stored = redis.call('HGETALL', KEY.workers), now_ms(), {}
  for i = 1, #all, 2 do stored[all[i]] = all[i + 1] end
  local clock, moved = registry_clock(stored[CLOCK], now)
  if math.abs(now - moved) >= CLOCK_STEP_MS then redis.pcall('HSET', KEY.workers, CLOCK, clock_text(clock, now)) end
  local living = {instances = {}, count = 0, room = false}
  for name, value in pairs(stored) do
    local instance, heartbeat, room = parse_worker(value)
    if instance and clock - heartbeat > FORGET_MS then
      redis.call('HDEL', KEY.workers, name)
    elseif instance and clock - heartbeat <= DEAD_MS then
      living.instances[name], living.count, living.room = instance, living.count + 1, living.room or room > 0
    end
  end
  return living
end
