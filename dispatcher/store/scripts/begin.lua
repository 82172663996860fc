-- begin: the last check before money is spent. It marks those jobs of a lease `sending` (ahead of the send, with a new
-- attempt number) that are granted a slot of the account's pace. The others go back unspent.
-- KEYS: a key of the account.
-- ARGV: options `call_id`, `tried` (which try of the call this is), `lease_id`, `lease_number`, `probes` (scope -> id
--       of the hold that this lease probes), `horizon_us`, `sending_ms` (from a slot to its send deadline), `busy_ms`
--       (snooze while the number is busy), `lock_ms` (life of a number's lock), `cut` (factor of a cut of the rate),
--       `regain_us` (time to regain it), `max_in_flight`; then for each job its name, the hash of its number, the
--       digits of its number, and the tag of the definition that its fax is built from.
-- Answer: {server time (us), epoch of the pace, the try that did it, then for each job: word, attempt, slot (us),
-- record}. The word is a BeginWord: go, gone (the job is not this lease's any more), or the reason why it went back:
-- batch, deadline, held, stale (the batch was changed since its fax was built), number, rate, full. After suppressed
-- (the number is on the do-not-fax list) it has ended.
-- Safe to repeat: the id of the call finds its answer again. A second worker that was given the same lease has a call
-- of its own and is granted nothing.
-- The record of a job that is being sent keeps the number of the call that began it (the first half of its id) in the
-- place of its lease: a caller who got no answer for longer than the answer is kept knows its jobs by it.
local call_id, lease_number, horizon_us = OPTIONS.call_id, OPTIONS.lease_number, OPTIONS.horizon_us
local sending_ms, busy_ms, lock_ms = OPTIONS.sending_ms, OPTIONS.busy_ms, OPTIONS.lock_ms
local cut, regain_us = OPTIONS.cut, OPTIONS.regain_us
-- holds that this lease may pass: those that it was leased to probe, if they still stand
local passed = {}
for scope, id in pairs(OPTIONS.probes) do
  local hold = load_hold(scope)
  if hold and hold.id == id then passed[scope] = hold end
end
local call_number = tonumber(string.sub(call_id, 1, 8), 16)

local stored = redis.call('GET', begun_key(call_id))
if stored then return cmsgpack.unpack(stored) end

local us = now_us()
local now = math.floor(us / US_PER_MS)
local pace = load_pace()
local answer = {text(us), text(pace.epoch), text(OPTIONS.tried)}
local any_hold = redis.call('HLEN', KEY.holds) > 0
local any_suppressed = redis.call('EXISTS', KEY.suppressions) == 1
-- A send counts until its deadline: no request is under way after it, whatever became of it.
local room = OPTIONS.max_in_flight - redis.call('ZCOUNT', WATCH[SENDING], text(now), '+inf')

local known = {}
local function facts(batch)
  if not known[batch] then
    local fields = redis.call('HMGET', batch_key(batch), 'control', 'deadline_ms', 'ignore_dead_numbers',
      'definition_tag', 'version', 'version_starts', 'started_ms')
    known[batch] = {control = fields[1], deadline = stored_number(fields[2]),
      ignored = fields[3] == '1' and DEAD_NUMBER or nil, tag = fields[4] or '',
      version = stored_number(fields[5] or 1), version_starts = fields[6],
      started = stored_number(fields[7])}
  end
  return known[batch]
end

local function is_held(scope) return redis.call('HEXISTS', KEY.holds, scope) == 1 end

-- When a job that is held may be looked at again, and the country that is held; nil when nothing of it is. Nothing is
-- claimed of a batch while it, a document, the provider or the account is held.
local function held_until(job, batch, country)
  if not any_hold then return nil end
  if is_held(scope_of('job', job)) then return HELD_SCORE end
  if country and is_held(country_scope(country)) then return HELD_SCORE, country end
  for _, scope in ipairs({'account', 'provider', unpack(scopes_of(batch))}) do
    if not passed[scope] and is_held(scope) then return now end
  end
end

-- Until when a job of the batch waits for its number: for those who ask what limits it.
local function note_busy(batch, until_ms)
  local known = stored_number(redis.call('HGET', batch_key(batch), 'number_busy_ms'))
  if until_ms > known or known > now + busy_ms then
    redis.call('HSET', batch_key(batch), 'number_busy_ms', text(until_ms))
  end
  return until_ms
end

-- The entry of the do-not-fax list that stops a number, or nil.
local function suppression_of(batch, digits)
  local entry = any_suppressed and load_suppression(digits)
  if entry and is_active(entry, facts(batch).ignored, now) then return entry end
end

-- Ends a job whose number must not be faxed. Nothing was sent, so nothing is spent; its history says why.
local function end_suppressed(batch, row, record, attempt, digits)
  local entry = load_suppression(digits)
  local reason = type(entry.reason) == 'string' and entry.reason ~= '' and ': ' .. entry.reason or ''
  local why = 'the number is on the do-not-fax list (' .. entry.source .. ')' .. reason
  local line = cjson.encode({attempt = attempt, at_ms = now, outcome = SUPPRESSED, category = SUPPRESSED, why = why})
  local key = block_key(batch, 'history', row)
  local before = redis.call('HGET', key, row)
  redis.call('HSET', key, row, before and (before .. '\n' .. line) or line)
  local new = with_head(record, CANCELLED, 0, attempt, 0)
  new = string.sub(new, 1, 12) .. string.char(SUPPRESSED_CODE, 0, 0, 0) .. string.sub(new, 17, 34)
    .. struct.pack('<d', now) .. string.sub(new, 43)
  write_record(batch, row, new)
  move_count(batch, row, record, new)
  return new
end

-- Why a job may not be sent now, when it may be looked at again, and for which country it is parked.
local function obstacle(job, batch, number, digits, tag, country)
  if facts(batch).control ~= 'running' then return 'batch', now end
  -- the scheduler ends its batch, now or when it is back
  if facts(batch).deadline > 0 and facts(batch).deadline <= now then return 'deadline', now end
  local released_ms, parked_for = held_until(job, batch, country)
  if released_ms then return 'held', released_ms, parked_for end
  -- the next lease is of the definition that is stored now
  if tag ~= facts(batch).tag then return 'stale', now end
  if suppression_of(batch, digits) then return 'suppressed' end
  if room <= 0 then return 'full', now + FULL_SNOOZE_MS end
  local holder, until_ms = number_lock(number)
  if holder then return 'number', note_busy(batch, math.min(now + busy_ms, until_ms)) end
end

-- All flags stay but unclear (2), which was said of the attempt before.
local function mark_sending(record, attempt, slot_ms)
  local flags = string.byte(record, 21)
  flags = flags - math.floor(flags / 2) % 2 * 2
  return with_head(string.sub(record, 1, 19), SENDING, 0, attempt, call_number) .. '\0' .. string.char(flags)
    .. string.rep('\0', 5) .. struct.pack('<dd', slot_ms, now) .. string.rep('\0', 30)
end

-- What changes for each job in one set or hash is written once, at the end: jobs that are leased no more; deadline and
-- job of each send; job and locked number of each send.
local unleased, sends, locks = {}, {}, {}

local function note_send(job, number, slot_ms)
  local n = #sends
  sends[n + 1], sends[n + 2] = text(slot_ms + sending_ms), job
  locks[n + 1], locks[n + 2] = job, number
end

local function begin(job, number, digits, tag)
  local batch, row = parse_job(job)
  local record = read_record(batch, row)
  if #record < WIDTH then return {'gone', 0, '0', record} end
  local state, _, attempt, lease = head(record)
  if state ~= LEASED or lease ~= lease_number then return {'gone', 0, '0', record} end
  local code = country_code(record)
  local reason, again, parked_for = obstacle(job, batch, number, digits, tag, code > 0 and country_name(code))
  local slot, next_us
  if not reason then
    slot, next_us = reserve(pace, us, horizon_us, cut, regain_us)
    if not slot then reason, again = 'rate', math.min(math.ceil(next_us / US_PER_MS), now + MAX_RATE_SNOOZE_MS) end
  end
  unleased[#unleased + 1] = job
  if reason then
    -- another job may be the probe, as soon as there is a slot
    for _, hold in pairs(passed) do
      local probe_ms = reason == 'rate' and again or now
      set_probe(hold, probe_ms, probe_ms, now)
      wake()
    end
    local new = with_head(record, WAITING, 0, attempt, 0)
    if reason == 'suppressed' then
      new = end_suppressed(batch, row, record, attempt, digits)
    elseif parked_for then
      write_record(batch, row, new)
      move_count(batch, row, record, new)
      park(batch, parked_for, {row})
    else
      new = put_back(batch, row, record, new, again)
    end
    return {reason, attempt, '0', new}
  end
  room = room - 1
  local slot_ms = math.floor(slot / US_PER_MS)
  local new = mark_sending(record, attempt + 1, slot_ms)
  local version = facts(batch).version
  if version > 1 then alone(versions.note, batch, row, attempt + 1, version, facts(batch).version_starts) end
  write_record(batch, row, new)
  move_count(batch, row, record, new)
  lock_number(number, job .. '/' .. text(attempt + 1), lock_ms)
  note_send(job, number, slot_ms)
  local started = facts(batch).started
  if attempt == 0 and started > 0 then
    add_durations('first_attempt_seconds', FIRST_ATTEMPT_S, slot_ms - started, 1)
  end
  for _, hold in pairs(passed) do note_probe(hold, job .. '/' .. (attempt + 1), slot_ms, sending_ms, now) end
  return {'go', attempt + 1, text(slot), new}
end

for i = 2, #ARGV, 4 do
  local ok, values = alone(begin, ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
  for _, value in ipairs(ok and values or {'gone', 0, '0', ''}) do answer[#answer + 1] = value end
end
if #unleased > 0 then redis.call('ZREM', WATCH[LEASED], unpack(unleased)) end
if #sends > 0 then
  redis.call('ZADD', WATCH[SENDING], unpack(sends))
  redis.call('HSET', KEY.locks, unpack(locks))
end
local lease = #unleased > 0 and load_lease(redis.call('HGET', KEY.leases, OPTIONS.lease_id))
if lease then
  lease.left = lease.left - #unleased
  if lease.left > 0 then save_lease(OPTIONS.lease_id, lease) else forget_lease(OPTIONS.lease_id) end
end
save_pace(pace)
redis.call('SET', begun_key(call_id), cmsgpack.pack(answer), 'PX', REPEATABLE_MS)
return answer
