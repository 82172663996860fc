-- Put in front of every script: jobs that go back to wait, and jobs that are held.

-- A waiting job's place is its batch's due set; a job of an ended batch becomes final instead.
local function put_back(batch, row, old, new, due_ms)
  local control = redis.call('HGET', batch_key(batch), 'control')
  if ENDING[control] then
    local _, _, attempt = head(new)
    new = with_head(new, ENDING[control], 0, attempt, 0)
    end_hold(scope_of('job', job_name(batch, row)))
  else
    redis.call('ZADD', part_key(batch, 'due'), text(due_ms), row)
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
  redis.call('HSET', KEY.holds, scope, cjson.encode(hold))
  add_total('holds|' .. category, 1)
  tell_of_held_jobs(parse_job(job))
end
