-- Put in front of the scripts that take permits: the account's pace, kept in the hash bf:limiter.
-- The same steps as core/pacing.py, which is the oracle. Times in microseconds of the server.

local CATCH_UP_US, SLOWEST, FURTHEST_US, WINDOW_US = 50000, 0.1, 20000000, 10000000
local PACE = {'ceiling', 'rate', 'tat_us', 'blocked_until_us', 'epoch', 'raised_us', 'refusals', 'window_us',
  'granted', 'granted_before'}

local function load_pace()
  local values, pace = redis.call('HMGET', 'bf:limiter', unpack(PACE)), {}
  for i, name in ipairs(PACE) do pace[name] = tonumber(values[i] or 0) end
  return pace
end

local function save_pace(pace)
  local fields = {}
  for _, name in ipairs(PACE) do
    fields[#fields + 1] = name
    local exact = name == 'ceiling' or name == 'rate'
    fields[#fields + 1] = string.format(exact and '%.17g' or '%.0f', pace[name])
  end
  redis.call('HSET', 'bf:limiter', unpack(fields))
end

local function raise_rate(pace, now, raise_share, raise_every_us)
  if pace.rate >= pace.ceiling or now < pace.raised_us + raise_every_us then return end
  pace.rate = math.min(pace.ceiling, pace.rate + raise_share * pace.ceiling)
  pace.raised_us, pace.refusals = now, 0
end

local function count_window(pace, now)
  local elapsed = now - pace.window_us
  if elapsed >= 0 and elapsed < WINDOW_US then return end
  pace.granted_before = (elapsed >= WINDOW_US and elapsed < 2 * WINDOW_US) and pace.granted or 0
  pace.window_us, pace.granted = now, 0
end

-- Returns the slot, or nil and the time at which there may be one.
local function reserve(pace, now, horizon_us, raise_share, raise_every_us)
  if pace.blocked_until_us > now then return nil, pace.blocked_until_us end
  raise_rate(pace, now, raise_share, raise_every_us)
  count_window(pace, now)
  local interval = math.ceil(1000000 / pace.rate)
  if pace.tat_us > now + FURTHEST_US + interval then pace.tat_us = now + interval end
  local slot = math.max(pace.tat_us, now - CATCH_UP_US)
  if slot > now + horizon_us then return nil, slot end
  pace.tat_us, pace.granted = slot + interval, pace.granted + 1
  return slot
end
