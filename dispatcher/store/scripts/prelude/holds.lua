-- Put in front of the scripts that open holds, let probes through or end holds: what is held and why, in the hash
-- holds. core/reference/holding.py is the reference implementation.

local function save_hold(hold) redis.call('HSET', KEY.holds, hold.scope, cjson.encode(hold)) end

-- What has ended needs no hold: a job or a batch that is final, or does not exist.
local function is_over(scope)
  local batch, row = job_of(scope)
  local state = batch and (string.byte(read_record(batch, row)) or VOID)
  if state and (state == VOID or state >= FINAL) then return true end
  batch = batch or batch_of(scope)
  if not batch then return false end
  local control, finished_ms = unpack(redis.call('HMGET', batch_key(batch), 'control', 'finished_ms'))
  return not control or ENDING[control] ~= nil or finished_ms ~= false
end

-- Opens a hold. One that stands already keeps its beginning and its probes, but one that waits for a person takes the
-- place of one that a probe may end. ``only_job`` is the job that all failures came from, or nil. Returns 1 when it is
-- new.
local function open_hold(id, scope, category, cause, probes_ms, now, only_job)
  local before = load_hold(scope)
  if is_over(scope) or (before and (#probes_ms > 0 or not before.probes_ms)) then return 0 end
  local hold = {id = id, scope = scope, category = category, cause = cause, since_ms = now, probe_at_ms = 0, probes = 0}
  if #probes_ms > 0 then hold.probes_ms, hold.probe_at_ms, hold.set_ms = probes_ms, now + probes_ms[1], now end
  hold.only_job = only_job
  save_hold(hold)
  if before then
    note_hold(before, -1)
    alone(tell_of_release, before)
  end
  note_hold(hold, 1)
  add_total('holds|' .. category, 1)
  alone(tell_of_hold, hold)
  return 1
end

-- Sends whose end is known, those of this script included. A slot that was missed and a 429 are none: they say nothing
-- of how the provider works.
local sends_before, new_sends = nil, 0
local function sends_made()
  sends_before = sends_before or stored_number(redis.call('GET', KEY.sends))
  return sends_before + new_sends
end

local function count_send() new_sends = new_sends + 1 end

local function write_sends()
  if new_sends > 0 then alone(redis.call, 'INCRBY', KEY.sends, text(new_sends)) end
end

-- The last usable answer to a send, and how many sends there were by then.
local function note_answer(sends)
  redis.call('HSET', KEY.answered, 'at_ms', text(now_ms()), 'sends', text(sends))
end

-- Whether a hold lets a probe through now. A clock that is before the time at which the probe's was set was set back.
-- While all failures came from one job, the next one goes as soon as no probe is under way.
local function is_probe_due(hold, now)
  if not hold.probes_ms then return false end
  local early = hold.only_job and (hold.free_ms or 0) <= now
  return hold.probe_at_ms <= now or now + STEP_MS < (hold.set_ms or hold.since_ms) or early
end

-- When the next probe may go, and until when none can be under way.
local function set_probe(hold, at_ms, free_ms, now)
  hold.probe_at_ms, hold.free_ms, hold.set_ms = at_ms, free_ms, now
  save_hold(hold)
end

-- A probe goes: the next one has its time by the series, and not before this one's answer or time-out. The outcome of
-- its attempt, whenever it comes, is what may end the hold.
local function note_probe(hold, attempt, sent_ms, sending_ms, now)
  hold.probes = hold.probes + 1
  local interval = hold.probes_ms[math.min(hold.probes, #hold.probes_ms - 1) + 1]
  hold.sent = hold.sent or {}
  hold.sent[#hold.sent + 1] = attempt
  if #hold.sent > PROBES_KEPT then table.remove(hold.sent, 1) end
  if hold.only_job ~= string.match(attempt, '^(.*)/') then hold.only_job = nil end
  set_probe(hold, sent_ms + math.max(interval, sending_ms), sent_ms + sending_ms, now)
end

local function is_probe_of(hold, attempt)
  for _, sent in ipairs(hold.sent or {}) do
    if sent == attempt then return true end
  end
  return false
end

-- Ends the holds whose probe this attempt is, if its outcome shows that their cause is gone.
local function end_disproved(attempt, causes)
  local disproved = {}
  for _, cause in ipairs(causes) do disproved[cause] = true end
  for _, scope in ipairs({'provider', 'account'}) do
    local hold = load_hold(scope)
    local cause = hold and (scope == 'provider' and hold.category ~= LISTS_FAIL and scope or hold.category)
    if hold and disproved[cause] and is_probe_of(hold, attempt) then end_hold(scope) end
  end
end
