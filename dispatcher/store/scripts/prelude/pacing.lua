-- Put in front of the scripts that take permits: the account's pace, kept in the hash limiter.
-- The same steps as core/reference/pacing.py, the reference implementation. Times in microseconds of the server.

local PACE = {'ceiling', 'rate', 'tat_us', 'blocked_until_us', 'epoch', 'peak', 'cut_us', 'refused_us', 'refusals',
  'window_us', 'granted', 'granted_before', 'probe_gap_us', 'read_tat_us'}
local EXACT = {ceiling = true, rate = true, peak = true}

-- JSON: for each limit of a longer time its period, the limit, the newest bucket, and permits by age of their bucket.
local function load_allowances(json)
  local allowances = cjson.decode(json)
  for i, stored in ipairs(allowances) do
    allowances[i] = {period = stored[1], limit = stored[2], newest = stored[3], counts = stored[4]}
  end
  return allowances
end

local function allowances_json(allowances)
  local lists = {}
  for i, allowance in ipairs(allowances) do
    lists[i] = {allowance.period, allowance.limit, allowance.newest, allowance.counts}
  end
  return cjson.encode(lists)
end

-- The field of the allowances is only there when the account has such limits.
local function load_pace()
  local values, pace = redis.call('HMGET', KEY.limiter, 'allowances', unpack(PACE)), {}
  for i, name in ipairs(PACE) do pace[name] = stored_number(values[i + 1]) end
  pace.allowances = values[1] and load_allowances(values[1])
  return pace
end

local function save_pace(pace)
  local fields = {}
  for _, name in ipairs(PACE) do
    fields[#fields + 1] = name
    fields[#fields + 1] = string.format(EXACT[name] and '%.17g' or '%.0f', pace[name])
  end
  if pace.allowances then
    fields[#fields + 1] = 'allowances'
    fields[#fields + 1] = allowances_json(pace.allowances)
  end
  redis.call('HSET', KEY.limiter, unpack(fields))
end

local function new_allowance(period, limit)
  local counts = {}
  for i = 1, BUCKETS[period] + 1 do counts[i] = 0 end
  return {period = period, limit = limit, newest = 0, counts = counts}
end

local function move_to(allowance, at_us)
  local size = #allowance.counts
  local newest = math.floor(at_us / BUCKET_US[allowance.period])
  local steps = newest - allowance.newest
  if steps <= 0 then return end
  for i = size, 1, -1 do allowance.counts[i] = i > steps and allowance.counts[i - steps] or 0 end
  allowance.newest = newest
end

-- Forgets what no window from now on touches; after the clock was set back the buckets move with it.
local function grow_older(allowance, now)
  allowance.newest = math.min(allowance.newest, math.floor((now + MAX_AHEAD_US) / BUCKET_US[allowance.period]) + 2)
  move_to(allowance, now)
end

local function used_of(allowance)
  local used = 0
  for _, count in ipairs(allowance.counts) do used = used + count end
  return used
end

-- The first slot that another permit may be for; 0 when any may.
local function next_free_slot_us(allowance)
  local used, steps = used_of(allowance), 0
  while used >= allowance.limit do
    used = used - allowance.counts[#allowance.counts - steps]
    steps = steps + 1
  end
  return steps > 0 and (allowance.newest + steps) * BUCKET_US[allowance.period] or 0
end

local function raise_rate(pace, now, cut, regain_us)
  if pace.rate >= pace.ceiling or now <= pace.cut_us then return end
  local way = (now - pace.cut_us) / regain_us - 1
  pace.rate = math.max(pace.rate, math.min(pace.ceiling, pace.peak * (1 + (1 - cut) * (way * way * way))))
  if pace.rate >= math.min(pace.peak, pace.ceiling) then pace.refusals = 0 end
end

local function count_slot(pace, slot)
  local length = math.max(WINDOW_US, math.ceil(WINDOW_SLOTS * US_PER_S / pace.ceiling))
  local start = slot - slot % length
  if start ~= pace.window_us then
    pace.granted_before = start == pace.window_us + length and pace.granted or 0
    pace.window_us, pace.granted = start, 0
  end
  pace.granted = pace.granted + 1
end

-- How many permits there may be for slots at that time.
local function permits_left(allowances, now, horizon_us)
  local left = math.huge
  for _, allowance in ipairs(allowances) do
    grow_older(allowance, now - CATCH_UP_US)
    move_to(allowance, now + horizon_us)
    left = math.min(left, math.max(0, allowance.limit - used_of(allowance)))
  end
  return left
end

local function interval_of(pace) return math.ceil(US_PER_S / (pace.rate * USED)) end

-- After the clock was set back behind the last refusal, what that has put off comes as long from now as it would have
-- come from then; of the slots since then, only those are kept clear of that may have been granted ahead. No wait is
-- longer than an hour.
local function bound_wait(pace, now)
  local back = math.max(0, pace.refused_us - now)
  pace.blocked_until_us = math.min(math.max(0, pace.blocked_until_us - back), now + LONGEST_WAIT_US)
  pace.cut_us = math.min(math.max(0, pace.cut_us - back), now + LONGEST_WAIT_US)
  if back == 0 then return end
  local latest = pace.blocked_until_us + math.max(MAX_AHEAD_US, interval_of(pace))
  pace.refused_us, pace.tat_us = pace.refused_us - back, math.max(0, math.min(pace.tat_us - back, latest))
end

-- An operator ends the wait. Slots that were granted before it are kept clear of.
local function unblock(pace, now)
  bound_wait(pace, now)
  if pace.blocked_until_us <= now then return false end
  pace.tat_us = math.min(pace.tat_us, now + math.max(MAX_AHEAD_US, interval_of(pace)))
  pace.blocked_until_us, pace.cut_us = 0, math.min(pace.cut_us, now)
  return true
end

-- After the clock was set back, the next slot comes after all that may have been granted ahead.
local function come_in_time(pace, now)
  local interval = math.max(interval_of(pace), pace.probe_gap_us)
  if pace.tat_us > now + FURTHEST_US + interval then pace.tat_us = now + MAX_AHEAD_US end
  for _, allowance in ipairs(pace.allowances or {}) do grow_older(allowance, now - CATCH_UP_US) end
end

-- The earliest slot that there may be.
local function next_slot(pace, now)
  local slot = math.max(pace.blocked_until_us, pace.tat_us, now - CATCH_UP_US)
  for _, allowance in ipairs(pace.allowances or {}) do slot = math.max(slot, next_free_slot_us(allowance)) end
  return slot
end

local function free_slots(pace, now, horizon_us)
  come_in_time(pace, now)
  local left, interval = now + horizon_us - next_slot(pace, now), interval_of(pace)
  if left < 0 then return 0 end
  local first_gap = math.max(interval, pace.probe_gap_us)
  local slots = left < first_gap and 1 or 2 + math.floor((left - first_gap) / interval)
  return pace.allowances and math.min(slots, permits_left(pace.allowances, now, horizon_us)) or slots
end

-- How many permits there are at the present rate up to the horizon; none while the provider's wait lasts. Writes only
-- what a step of the clock made wrong: while there is no slot nobody takes permits, and it would stay wrong for ever.
local function slots_within(now, horizon_us)
  local names, pace, stored, slots = {'blocked_until_us', 'cut_us', 'refused_us', 'tat_us'}, load_pace(), {}, 0
  for i, name in ipairs(names) do stored[i] = pace[name] end
  bound_wait(pace, now)
  if pace.blocked_until_us <= now then slots = free_slots(pace, now, horizon_us) end
  for i, name in ipairs(names) do
    if pace[name] ~= stored[i] then redis.call('HSET', KEY.limiter, name, text(pace[name])) end
  end
  return slots
end

-- Returns the slot, or nil and the time at which there may be allowance.
local function reserve(pace, now, horizon_us, cut, regain_us)
  bound_wait(pace, now)
  if pace.blocked_until_us > now then return nil, pace.blocked_until_us end
  raise_rate(pace, now, cut, regain_us)
  local interval = math.max(interval_of(pace), pace.probe_gap_us)
  come_in_time(pace, now)
  local slot = next_slot(pace, now)
  if slot > now + horizon_us then return nil, slot end
  for _, allowance in ipairs(pace.allowances or {}) do
    move_to(allowance, slot)
    allowance.counts[1] = allowance.counts[1] + 1
  end
  pace.tat_us, pace.probe_gap_us = slot + interval, 0
  count_slot(pace, slot)
  return slot
end

-- The same for a read: `share` of the rate is its own; beyond that it gets slots that nobody has taken when their time
-- has come.
local function reserve_read(pace, now, horizon_us, cut, regain_us, share)
  pace.read_tat_us = math.min(pace.read_tat_us, now + math.ceil(interval_of(pace) / share))
  local own = pace.read_tat_us <= now
  local slot, again = reserve(pace, now, own and horizon_us or -LEFT_OVER_US, cut, regain_us)
  if slot and own then
    pace.read_tat_us = math.max(pace.read_tat_us, now - READ_BURST_US) + math.ceil(interval_of(pace) / share)
  elseif again and not own and pace.blocked_until_us <= now then
    again = math.min(pace.read_tat_us, again + LEFT_OVER_US)
  end
  return slot, again
end
