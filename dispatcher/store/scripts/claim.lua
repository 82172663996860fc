-- claim: leases what is due to a worker, fairly (core/fairness.py is the oracle of the choices).
-- ARGV: lease id, lease number, class, most jobs, most jobs leased within a second (work ahead; at most four times as
--       many in all), lease time (ms), retry floor, recheck time of held batches (ms), how far ahead slots are granted
--       (us), most jobs leased and sending (before their send deadline) in all.
-- Answer: JSON {"number": n, "jobs": [...], "probes": {scope: id of the hold}}, or nil when nothing may be leased now, as
-- while no worker lives. Safe to repeat: while the lease is open, its id finds the first answer again.
local lease_id, lease_number, class = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local room, ahead, lease_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local retry_floor, recheck_ms, horizon_us = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local QUANTUM, STRIDE = 8, 1000
local MOST_WALKED, walked = 960, 0
local YOUNG_MS, MOST_AHEAD, MOST_LEASES = 1000, 4, 1000
-- strikes from which a job is leased only while no other such job is, and when it is looked at again meanwhile
local SUSPECT, SUSPECT_AGAIN_MS = 2, 250
local us = now_us()
local now = math.floor(us / 1000)

local stored = redis.call('GET', 'bf:lease:' .. lease_id)
if stored then return stored end
-- Leases that are not begun within a second wait for a worker that has no room, or has ended: others may go on.
local leased = redis.call('ZCARD', WATCH[LEASED])
local young = redis.call('ZCOUNT', WATCH[LEASED], text(now + lease_ms - YOUNG_MS), '+inf')
local sending = redis.call('ZCOUNT', WATCH[SENDING], text(now), '+inf')
room = math.min(room, ahead - young, MOST_AHEAD * ahead - leased, tonumber(ARGV[10]) - leased - sending)
if room <= 0 or redis.call('HLEN', 'bf:leases') >= MOST_LEASES or living_workers().count == 0 then return false end

-- No more is leased than begin can find permits for: nothing goes to and fro while a day's allowance is used up.
-- A clock that was set back is noticed here: nobody takes permits while a wait lasts.
if is_blocked(us) then return false end
local allowances = redis.call('HGET', 'bf:limiter', 'allowances')
if allowances then
  room = math.min(room, permits_left(load_allowances(allowances), us, horizon_us) - leased)
  if room <= 0 then return false end
end

-- A held provider or account lets one job through at each probe time; that job may release the hold. A probe of the
-- account is one of the provider too.
local held, probed = redis.call('HLEN', 'bf:holds') > 0, {}
for _, scope in ipairs(held and {'provider', 'account'} or {}) do
  local hold = load_hold(scope)
  if hold then
    if not is_probe_due(hold, now) then return false end
    probed[scope], room = hold, 1
  end
end

local active = 'bf:active:' .. class

local function activate(batch, batch_class)
  local set = 'bf:active:' .. batch_class
  local least = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
  local vtime = tonumber(redis.call('HGET', batch_key(batch), 'vtime') or 0)
  if least then vtime = math.max(vtime, tonumber(least)) end
  redis.call('ZADD', set, 'NX', string.format('%.17g', vtime), batch)
end

local function promote()
  for _, batch in ipairs(redis.call('ZRANGEBYSCORE', 'bf:timers', '-inf', text(now), 'LIMIT', 0, 32)) do
    local control, batch_class = unpack(redis.call('HMGET', batch_key(batch), 'control', 'class'))
    redis.call('ZREM', 'bf:timers', batch)
    if control == 'scheduled' then
      redis.call('HSET', batch_key(batch), 'control', 'running')
      redis.call('HSETNX', batch_key(batch), 'started_ms', text(now))
    end
    if control == 'scheduled' or control == 'running' then activate(batch, batch_class) end
  end
end

local function deactivate(batch, vtime, next_ms)
  redis.call('ZREM', active, batch)
  redis.call('HSET', batch_key(batch), 'vtime', vtime)
  if next_ms then lower_timer(batch, next_ms) end
end

-- Whether the batch or one of its documents is held.
local function is_held(batch)
  local scopes = {'batch:' .. batch}
  for sha in string.gmatch(redis.call('HGET', batch_key(batch), 'documents'), '[^,]+') do
    scopes[#scopes + 1] = 'document:' .. sha
  end
  for _, scope in ipairs(scopes) do
    if redis.call('HEXISTS', 'bf:holds', scope) == 1 then return true end
  end
  return false
end

local jobs = {}
-- nothing may be added to this lease any more; whether it tries a suspect
local full, suspect = false, false

local function lease(batch, row, record)
  local _, strikes, attempt = head(record)
  local new = with_head(record, LEASED, strikes, attempt, lease_number)
  write_record(batch, row, new)
  move_count(batch, record, new)
  jobs[#jobs + 1] = job_name(batch, row)
  redis.call('ZADD', WATCH[LEASED], text(now + lease_ms), jobs[#jobs])
end

local function a_suspect_is_leased()
  for _, open in ipairs(redis.call('HVALS', 'bf:leases')) do
    if load_lease(open).suspect == '1' then return true end
  end
  return false
end

-- A job whose worker has ended is leased alone, so that the one that ends workers is found. One that met this twice is
-- leased only while no other such job is: else the others would meet it again, with the one that is to blame.
local function lease_retry(batch, due, row, record)
  local _, strikes = head(record)
  if strikes > 0 and #jobs > 0 then
    full = true
    return 0
  end
  if strikes >= SUSPECT and a_suspect_is_leased() then
    redis.call('ZADD', due, text(now + SUSPECT_AGAIN_MS), row)
    return 0
  end
  redis.call('ZREM', due, row)
  lease(batch, row, record)
  full, suspect = strikes > 0, strikes >= SUSPECT
  return 1
end

local function lease_retries(batch, most)
  local due, taken = part_key(batch, 'due'), 0
  for _, row in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', text(now), 'LIMIT', 0, most)) do
    if full then break end
    local record = read_record(batch, tonumber(row))
    if #record < WIDTH then
      redis.call('ZREM', due, row)
    else
      taken = taken + lease_retry(batch, due, tonumber(row), record)
    end
  end
  return taken
end

-- Walks on from the cursor; rows that are no jobs are passed over, so all walks of one call together have a limit.
-- Returns jobs leased, and whether there is more behind that limit.
local function lease_fresh(batch, most)
  local key, taken = batch_key(batch), 0
  local cursor, blocks = unpack(redis.call('HMGET', key, 'cursor', 'blocks'))
  cursor = tonumber(cursor)
  local last = blocks * BLOCK
  while taken < most and walked < MOST_WALKED and cursor < last do
    local start = (cursor % BLOCK) * WIDTH
    local records = redis.call('GETRANGE', records_key(batch, cursor), start, start + 32 * WIDTH - 1)
    if records == '' then
      cursor, walked = (math.floor(cursor / BLOCK) + 1) * BLOCK, walked + 1
    end
    for at = 1, #records, WIDTH do
      if taken == most then break end
      local record = string.sub(records, at, at + WIDTH - 1)
      if string.byte(record, 1) == WAITING then
        lease(batch, cursor, record)
        taken = taken + 1
      end
      cursor, walked = cursor + 1, walked + 1
    end
  end
  redis.call('HSET', key, 'cursor', text(cursor))
  if taken > 0 then redis.call('HINCRBY', key, 'unstarted', -taken) end
  return taken, taken < most and cursor < last
end

local function split(most, fresh, due, credit)
  if fresh == 0 or due == 0 then
    local taken = math.min(most, fresh > 0 and fresh or due)
    if fresh > 0 then return taken, 0, 0 end
    return 0, taken, 0
  end
  credit = credit + most * retry_floor
  local retries = math.min(due, math.floor(credit), most)
  local first = math.min(fresh, most - retries)
  local more = math.min(due - retries, most - retries - first)
  return first, retries + more, math.max(0, credit - retries)
end

local function serve(batch, most)
  local key = batch_key(batch)
  local fresh, credit = unpack(redis.call('HMGET', key, 'unstarted', 'retry_credit'))
  local due = redis.call('ZCOUNT', part_key(batch, 'due'), '-inf', text(now))
  local first, retries, left = split(most, tonumber(fresh), due, tonumber(credit or 0))
  local served, more = 0, false
  if retries > 0 then served = lease_retries(batch, retries) end
  if full then left = math.max(0, tonumber(credit or 0) - served) end
  if first > 0 and not full then
    local taken
    taken, more = lease_fresh(batch, first)
    served = served + taken
  end
  redis.call('HSET', key, 'retry_credit', string.format('%.17g', left))
  return served, more
end

promote()
for _ = 1, 64 do
  if room <= 0 or full or walked >= MOST_WALKED then break end
  local batch, vtime = unpack(redis.call('ZRANGE', active, 0, 0, 'WITHSCORES'))
  if not batch then break end
  if held and is_held(batch) then
    deactivate(batch, vtime, now + recheck_ms)
  else
    local served, more = serve(batch, math.min(room, QUANTUM))
    room = room - served
    if served == 0 and not more and not full then
      local next_due = redis.call('ZRANGE', part_key(batch, 'due'), 0, 0, 'WITHSCORES')[2]
      deactivate(batch, vtime, next_due and tonumber(next_due))
    elseif served > 0 then
      local weight = tonumber(redis.call('HGET', batch_key(batch), 'weight'))
      redis.call('ZADD', active, string.format('%.17g', tonumber(vtime) + served * STRIDE / weight), batch)
    end
  end
end
if #jobs == 0 then return false end
local probes = {}
for scope, hold in pairs(probed) do
  set_probe(hold, now + lease_ms, now)
  probes[scope] = hold.id
end
local answer = cjson.encode({number = lease_number, jobs = jobs, probes = probes})
redis.call('SET', 'bf:lease:' .. lease_id, answer, 'PX', text(lease_ms + CLEAN_UP_MS))
save_lease(lease_id, {made = now, announced = now, left = #jobs, class = class, suspect = suspect and '1' or '0',
  name = NOBODY, instance = NOBODY})
return answer
