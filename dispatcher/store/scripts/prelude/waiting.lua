-- Put in front of every script: jobs that go back to wait, and jobs that are held.

-- Jobs in the due set that have failed before are counted by the category of their last failure and the minute in which
-- they are due: "<category>:<minute>". So anybody can say what a million jobs wait for without reading them.
local function count_wait(batch, record, due_ms, jobs)
  local category = string.byte(record, 13)
  if category == 0 then return end
  add(part_key(batch, 'waits'), category .. ':' .. text(math.floor(due_ms / MS_PER_MINUTE)), jobs)
end

local function add_due(batch, row, record, due_ms)
  if redis.call('ZADD', part_key(batch, 'due'), text(due_ms), row) == 1 then count_wait(batch, record, due_ms, 1) end
end

-- Gives a job that waits another time.
local function move_due(batch, row, record, due_ms)
  local before = redis.call('ZSCORE', part_key(batch, 'due'), row)
  if not before then return end
  redis.call('ZADD', part_key(batch, 'due'), text(due_ms), row)
  count_wait(batch, record, stored_number(before), -1)
  count_wait(batch, record, due_ms, 1)
end

-- Returns how many that were.
local function remove_due(batch, row, record)
  local due = part_key(batch, 'due')
  local before = string.byte(record, 13) ~= 0 and redis.call('ZSCORE', due, row)
  if before then count_wait(batch, record, stored_number(before), -1) end
  return redis.call('ZREM', due, row)
end

-- A waiting job's place is its batch's due set; a job of an ended batch becomes final instead.
local function put_back(batch, row, old, new, due_ms)
  local control = redis.call('HGET', batch_key(batch), 'control')
  if ENDING[control] then
    local _, _, attempt = head(new)
    new = with_head(new, ENDING[control], 0, attempt, 0)
    end_hold(scope_of('job', job_name(batch, row)))
  else
    add_due(batch, row, new, due_ms)
    if control == 'running' then lower_timer(batch, due_ms) end
  end
  write_record(batch, row, new)
  move_count(batch, row, old, new)
  return new
end

-- Tells how many jobs of a batch are held one by one, at 1, 10, 100 and so on.
local function tell_of_held_jobs(batch)
  local jobs = redis.call('ZCOUNT', part_key(batch, 'due'), text(HELD_SCORE), text(HELD_SCORE))
  if string.match(text(jobs), '^10*$') then
    append_event(batch, 'batch.threshold_crossed', {measure = 'held_jobs', threshold = jobs, jobs = jobs})
  end
end

-- Holds one job until someone releases it; it stands in its batch's due set at HELD_SCORE.
local function hold_job(job, category, cause, now_ms)
  local id = string.sub(redis.sha1hex(job .. text(now_us())), 1, 16)
  local scope = scope_of('job', job)
  local hold = {id = id, scope = scope, category = category, cause = cause, since_ms = now_ms, probe_at_ms = 0}
  local before = load_hold(scope)
  if before then note_hold(before, -1) end
  note_hold(hold, 1)
  redis.call('HSET', KEY.holds, scope, cjson.encode(hold))
  add_total('holds|' .. category, 1)
  tell_of_held_jobs(parse_job(job))
end
