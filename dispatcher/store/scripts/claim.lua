-- claim: leases what is due to a worker, fairly. The choices' reference implementation is core/reference/fairness.py.
-- KEYS: a key of the account.
-- ARGV: options `lease_id`, `lease_number`, `class`, `max_jobs`, `max_ahead` (jobs leased within a second; at most four
--       times as many are leased in all), `max_in_flight` (jobs leased or being sent, in all), `lease_ms`,
--       `retry_floor` (share of the jobs that retries get), `horizon_us` (how far ahead slots are granted).
-- Answer: JSON {"number": n, "jobs": [...], "probes": {scope: id of the hold}, "tags": {batch: tag of its definition,
-- of changed batches only}}; `more` when this call only passed over rows and there are more behind them; nil when
-- nothing may be leased now, or no worker lives.
-- Safe to repeat: while the lease is open, its id finds the first answer again.
-- Rows of a held country are parked without a lease, and batches that are held themselves wait for the end of the hold.
local lease_id, lease_number, class, lease_ms = OPTIONS.lease_id, OPTIONS.lease_number, OPTIONS.class, OPTIONS.lease_ms
local room, ahead = OPTIONS.max_jobs, OPTIONS.max_ahead
local retry_floor, horizon_us = OPTIONS.retry_floor, OPTIONS.horizon_us
-- rows that this call has passed over: they are no jobs, or are parked, or come back
local passed = 0
local us = now_us()
local now = math.floor(us / US_PER_MS)

local stored = redis.call('GET', lease_key(lease_id))
if stored then return stored end
-- Leases that are not begun within a second wait for a worker that has no room, or has ended: others may go on.
local leased = redis.call('ZCARD', WATCH[LEASED])
local young = redis.call('ZCOUNT', WATCH[LEASED], text(now + lease_ms - YOUNG_MS), '+inf')
local sending = redis.call('ZCOUNT', WATCH[SENDING], text(now), '+inf')
room = math.min(room, ahead - young, MAX_AHEAD * ahead - leased, OPTIONS.max_in_flight - leased - sending)
if room <= 0 or redis.call('HLEN', KEY.leases) >= MAX_LEASES or living_workers().count == 0 then return false end

-- No more is leased than begin can find slots for: nothing goes to and fro while the next slot is far away, or while a
-- day's allowance is used up. A clock that was set back is noticed here: nobody takes permits while a wait lasts.
room = math.min(room, slots_within(us, horizon_us) - young)
if room <= 0 then return false end

-- A held provider or account lets one job through at each probe time; that job may release the hold. A probe of the
-- account is one of the provider too.
local held, probed = redis.call('HLEN', KEY.holds) > 0, {}
for _, scope in ipairs(held and {'provider', 'account'} or {}) do
  local hold = load_hold(scope)
  if hold then
    if not is_probe_due(hold, now) then return false end
    probed[scope], room = hold, 1
  end
end

local active = active_key(class)

local function is_count(value, most)
  local number = stored_number(value, -1)
  return number >= 0 and number <= most and number % 1 == 0
end

-- Whether what decides how a batch is sent can be read. Otherwise nothing of it is leased, and its jobs stay where they
-- are.
local CONTROLS = {scheduled = true, running = true, paused = true, cancelled = true, expired = true, draft = true}
local function is_readable(batch)
  local control, class, documents, format, weight, blocks, cursor, unstarted, start_at, deadline =
    unpack(redis.call('HMGET', batch_key(batch), 'control', 'class', 'documents', 'format', 'weight', 'blocks',
      'cursor', 'unstarted', 'start_at_ms', 'deadline_ms'))
  return CONTROLS[control] and (class == 'urgent' or class == 'bulk') and documents and stored_number(format) == FORMAT
    and is_count(weight, 100) and stored_number(weight) >= 1 and is_count(blocks, MAX_BLOCKS)
    and is_count(cursor, stored_number(blocks) * BLOCK) and is_count(unstarted, stored_number(blocks) * BLOCK)
    and is_count(start_at, HELD_SCORE) and is_count(deadline, HELD_SCORE)
end

-- It is looked at again later, because someone may have restored it.
local function set_aside(batch)
  redis.call('ZREM', active, batch)
  redis.call('ZADD', KEY.timers, text(now + UNREADABLE_AGAIN_MS), batch)
end

local function activate(batch, batch_class)
  local set = active_key(batch_class)
  local lowest = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
  local vtime = stored_number(redis.call('HGET', batch_key(batch), 'vtime'))
  if lowest then vtime = math.max(vtime, tonumber(lowest)) end
  redis.call('ZADD', set, 'NX', string.format('%.17g', vtime), batch)
end

-- Batches that waited for a hold that has ended have work again, some of them at each call.
local function wake_released()
  for _, scope in ipairs(redis.call('SRANDMEMBER', KEY.released, 4)) do
    local waiting, is_held = stopped_batches_key(scope), held and redis.call('HEXISTS', KEY.holds, scope) == 1
    local batches = is_held and {} or redis.call('SRANDMEMBER', waiting, 32)
    for _, batch in ipairs(batches) do
      redis.call('SREM', waiting, batch)
      if redis.call('HGET', batch_key(batch), 'control') == 'running' then lower_timer(batch, now) end
    end
    if #batches < 32 then redis.call('SREM', KEY.released, scope) end
  end
end

local function promote_batch(batch)
  redis.call('ZREM', KEY.timers, batch)
  if redis.call('EXISTS', batch_key(batch)) == 0 then return end
  if not is_readable(batch) then return set_aside(batch) end
  local control, batch_class = unpack(redis.call('HMGET', batch_key(batch), 'control', 'class'))
  if control == 'scheduled' then
    redis.call('HSET', batch_key(batch), 'control', 'running')
    local begins = redis.call('HSETNX', batch_key(batch), 'started_ms', text(now)) == 1
    redis.call('HSET', batch_key(batch), 'running_ms', text(now))
    if begins then tell_of_start(batch) end
  end
  if control == 'scheduled' or control == 'running' then activate(batch, batch_class) end
end

local function promote()
  for _, batch in ipairs(redis.call('ZRANGEBYSCORE', KEY.timers, '-inf', text(now), 'LIMIT', 0, 32)) do
    if not alone(promote_batch, batch) then set_aside(batch) end
  end
end

local function deactivate(batch, vtime, next_ms)
  redis.call('ZREM', active, batch)
  redis.call('HSET', batch_key(batch), 'vtime', vtime)
  if next_ms then lower_timer(batch, next_ms) end
end

-- The hold of the batch or of one of its documents; nil when there is none.
local function hold_of(batch)
  for _, scope in ipairs(held and scopes_of(batch) or {}) do
    if redis.call('HEXISTS', KEY.holds, scope) == 1 then return scope end
  end
end

local country_held = {}
local function is_country_held(code)
  if code > 0 and country_held[code] == nil then
    country_held[code] = redis.call('HEXISTS', KEY.holds, country_scope(country_name(code))) == 1
  end
  return code > 0 and country_held[code]
end

local jobs = {}
-- nothing may be added to this lease any more; whether it tries a suspect
local full, suspect = false, false

local function lease(batch, row, record)
  local _, strikes, attempt = head(record)
  local new = with_head(record, LEASED, strikes, attempt, lease_number)
  write_record(batch, row, new)
  move_count(batch, row, record, new)
  jobs[#jobs + 1] = job_name(batch, row)
end

local suspect_leased
local function a_suspect_is_leased()
  if suspect_leased == nil then
    suspect_leased = false
    for _, open in ipairs(redis.call('HVALS', KEY.leases)) do
      local opened = load_lease(open)
      suspect_leased = suspect_leased or (opened and opened.suspect == '1')
    end
  end
  return suspect_leased
end

-- A job whose worker has ended is leased alone, so that the one that ends workers is found. One that met this twice is
-- leased only while no other such job is: else the others would meet it again, with the one that is to blame.
local function lease_retry(batch, due, row, record, due_ms)
  local _, strikes = head(record)
  if strikes > 0 and #jobs > 0 then
    full = true
    return 0
  end
  if strikes >= SUSPECT and a_suspect_is_leased() then
    redis.call('ZADD', due, text(now + SUSPECT_AGAIN_MS), row)
    count_wait(batch, record, due_ms, -1)
    count_wait(batch, record, now + SUSPECT_AGAIN_MS, 1)
    return 0
  end
  redis.call('ZREM', due, row)
  count_wait(batch, record, due_ms, -1)
  lease(batch, row, record)
  full, suspect = strikes > 0, strikes >= SUSPECT
  return 1
end

-- Few rows at first, and more when they are parked.
local function next_chunk(short, parked)
  return parked > 0 and math.max(short, math.min(LONG_CHUNK, MAX_PASSED - passed)) or short
end

local function add_row(of_country, code, row)
  local rows = of_country[code] or {}
  rows[#rows + 1], of_country[code] = row, rows
end

local function park_all(batch, of_country)
  for code, rows in pairs(of_country) do park(batch, country_name(code), rows) end
end

-- Leases what is due, and parks what is due of held countries. Returns jobs leased, and whether there may be more
-- behind the limit of what one call passes over.
local function lease_retries(batch, max_jobs)
  local due, taken, chunk = part_key(batch, 'due'), 0, max_jobs
  while taken < max_jobs and not full do
    local rows = redis.call('ZRANGEBYSCORE', due, '-inf', text(now), 'WITHSCORES', 'LIMIT', 0, chunk)
    local gone, of_country = {}, {}
    if #rows == 0 then return taken, false end
    for i = 1, #rows, 2 do
      if taken == max_jobs or full then break end
      local row, due_ms = stored_number(rows[i], rows[i]), stored_number(rows[i + 1])
      local record = type(row) == 'number' and row >= 0 and read_record(batch, row) or ''
      local code = held and #record == WIDTH and country_code(record) or 0
      local leases = 0
      if is_country_held(code) then
        add_row(of_country, code, row)
        gone[#gone + 1] = row
        count_wait(batch, record, due_ms, -1)
      elseif #record < WIDTH or string.byte(record) ~= WAITING then -- a row too many must not become a second fax
        gone[#gone + 1] = row
      else
        leases = lease_retry(batch, due, row, record, due_ms)
      end
      taken, passed = taken + leases, passed + 1 - leases
    end
    if #gone > 0 then redis.call('ZREM', due, unpack(gone)) end
    park_all(batch, of_country)
    if passed >= MAX_PASSED then return taken, taken < max_jobs and not full end
    chunk = next_chunk(max_jobs - taken, #gone)
  end
  return taken, false
end

-- Walks on from the cursor, as far as the quota of a partial start goes. Returns jobs leased, and whether there is more
-- behind the limit.
local function lease_fresh(batch, max_jobs)
  local key, taken, started, chunk = batch_key(batch), 0, 0, CHUNK
  local cursor, blocks, quota = unpack(redis.call('HMGET', key, 'cursor', 'blocks', 'quota'))
  local most = stored_number(quota, math.huge)
  cursor = tonumber(cursor)
  local last = blocks * BLOCK
  while taken < max_jobs and taken + started < most and cursor < last do
    local start, of_country, parked = (cursor % BLOCK) * WIDTH, {}, 0
    local records = redis.call('GETRANGE', records_key(batch, cursor), start, start + chunk * WIDTH - 1)
    for start_at = 1, #records, WIDTH do
      if taken == max_jobs or taken + started + parked >= most then break end
      local state, _, low, high = string.byte(records, start_at, start_at + 3)
      if start_at + WIDTH - 1 > #records then state = nil end
      local code = held and state == WAITING and low + 256 * high or 0
      if is_country_held(code) then
        add_row(of_country, code, cursor)
        parked = parked + 1
      elseif state == WAITING then
        lease(batch, cursor, string.sub(records, start_at, start_at + WIDTH - 1))
        taken, passed = taken + 1, passed - 1
      end
      cursor, passed = cursor + 1, passed + 1
    end
    park_all(batch, of_country)
    started = started + parked
    if records == '' then cursor, passed = (math.floor(cursor / BLOCK) + 1) * BLOCK, passed + 1 end
    if passed >= MAX_PASSED then break end
    chunk = next_chunk(CHUNK, parked)
  end
  redis.call('HSET', key, 'cursor', text(cursor))
  if started + taken > 0 then
    redis.call('HINCRBY', key, 'unstarted', -started - taken)
    if quota then redis.call('HINCRBY', key, 'quota', -started - taken) end
  end
  return taken, taken < max_jobs and taken + started < most and cursor < last
end

-- Rows that were parked for countries that are not held any more come back, while little is due. Returns how many.
local function unpark(batch, due)
  local back = 0
  for _, country in ipairs(parked_countries(batch)) do
    if held and redis.call('HEXISTS', KEY.holds, country_scope(country)) == 1 then
      note_parked(batch, country)
    elseif due + back < UNPARKED then
      local rows = take_parked(batch, country, UNPARKED - due - back)
      for _, row in ipairs(rows) do
        local record = read_record(batch, row)
        if #record == WIDTH then add_due(batch, row, record, now) end
      end
      back = back + #rows
    end
  end
  passed = passed + back
  return back
end

local function split(max_jobs, fresh, due, credit)
  if fresh == 0 or due == 0 then
    local taken = math.min(max_jobs, fresh > 0 and fresh or due)
    if fresh > 0 then return taken, 0, 0 end
    return 0, taken, 0
  end
  credit = credit + max_jobs * retry_floor
  local retries = math.min(due, math.floor(credit), max_jobs)
  local first = math.min(fresh, max_jobs - retries)
  local more = math.min(due - retries, max_jobs - retries - first)
  return first, retries + more, math.max(0, credit - retries)
end

-- Where rows of one kind were parked instead, more of the other are leased. Returns jobs leased, and whether there may
-- be more behind the limit.
local function serve(batch, max_jobs)
  local key = batch_key(batch)
  local fresh, credit, quota = unpack(redis.call('HMGET', key, 'unstarted', 'retry_credit', 'quota'))
  fresh = math.min(tonumber(fresh), math.max(0, stored_number(quota, math.huge)))
  local due = redis.call('ZCOUNT', part_key(batch, 'due'), '-inf', text(now))
  due = due + unpark(batch, due)
  local first, retries, left = split(max_jobs, fresh, due, stored_number(credit))
  local served, planned, more, more_fresh = 0, first + retries, false, false
  if retries > 0 then served, more = lease_retries(batch, retries) end
  if full then left = math.max(0, stored_number(credit) - served) end
  if fresh > 0 and served < planned and not full then
    first, more_fresh = lease_fresh(batch, planned - served)
    served = served + first
  end
  if held and served < planned and not full then
    retries, more = lease_retries(batch, planned - served)
    served = served + retries
  end
  redis.call('HSET', key, 'retry_credit', string.format('%.17g', left))
  return served, more or more_fresh
end

-- The batch's own rate (a GCRA at its leases): how many jobs may be leased now, the time from which it counts, and the
-- interval; without one, as many as there are. A time that no lease can have set is of a clock that was set back.
local function own_rate(batch)
  local per_second, next_us = unpack(redis.call('HMGET', batch_key(batch), 'max_per_second', 'pace_us'))
  per_second = stored_number(per_second)
  if per_second <= 0 then return math.huge end
  local interval = US_PER_S / per_second
  local burst = math.max(interval, OWN_BURST_US)
  next_us = stored_number(next_us)
  if next_us < us or next_us > us + burst + interval then next_us = us end
  -- rounding must not cost a job
  return math.floor((us + burst - next_us) / interval + 0.001), next_us, interval, burst
end

-- Batches of which only rows were passed over; they stand first, and go on at the next call.
local walking = {}
-- which definition a lease is of: a batch that was changed has a tag
local tags = {}

local function serve_batch(batch, vtime)
  if not is_readable(batch) then return set_aside(batch) end
  local scope = hold_of(batch)
  if scope then
    redis.call('SADD', stopped_batches_key(scope), batch)
    return deactivate(batch, vtime)
  end
  local own, next_us, interval, burst = own_rate(batch)
  if own < 1 then return deactivate(batch, vtime, math.ceil((next_us - burst + interval) / US_PER_MS)) end
  local served, more = serve(batch, math.min(room, QUANTUM, own))
  room = room - served
  if next_us and served > 0 then
    redis.call('HSET', batch_key(batch), 'pace_us', text(next_us + served * interval))
  end
  if served > 0 then
    local weight, tag = unpack(redis.call('HMGET', batch_key(batch), 'weight', 'definition_tag'))
    tags[batch] = tag or nil
    redis.call('ZADD', active, string.format('%.17g', tonumber(vtime) + served * STRIDE / tonumber(weight)), batch)
  elseif more then
    walking[#walking + 1] = batch
  elseif not full then
    local next_due = redis.call('ZRANGE', part_key(batch, 'due'), 0, 0, 'WITHSCORES')[2]
    deactivate(batch, vtime, next_due and tonumber(next_due))
  end
end

local function serve_next()
  local batch, vtime = unpack(redis.call('ZRANGE', active, #walking, #walking, 'WITHSCORES'))
  if not batch then return false end
  local before = #jobs
  if not alone(serve_batch, batch, vtime) then
    room = room - (#jobs - before)
    set_aside(batch)
  end
  return true
end

alone(wake_released)
promote()
local more = true
for _ = 1, 64 do
  more = room > 0 and not full and serve_next()
  if not more then break end
end
-- Passing over rows earns no share of the rate.
local others = #walking > 0 and redis.call('ZRANGE', active, #walking, #walking, 'WITHSCORES')[2]
for _, batch in ipairs(others and walking or {}) do redis.call('ZADD', active, 'GT', others, batch) end
if #jobs == 0 then return (more or #walking > 0) and 'more' end
local watched, lease_end = {}, text(now + lease_ms)
for i, job in ipairs(jobs) do watched[2 * i - 1], watched[2 * i] = lease_end, job end
redis.call('ZADD', WATCH[LEASED], unpack(watched))
local probes = {}
for scope, hold in pairs(probed) do
  set_probe(hold, now + lease_ms, now + lease_ms, now)
  probes[scope] = hold.id
end
local answer = cjson.encode({number = lease_number, jobs = jobs, probes = probes, tags = tags})
redis.call('SET', lease_key(lease_id), answer, 'PX', text(lease_ms + CLEAN_UP_MS))
save_lease(lease_id, {made = now, announced = now, left = #jobs, class = class, suspect = suspect and '1' or '0',
  name = NOBODY, instance = NOBODY})
return answer
