-- Put in front of every script: the counts of jobs, which move with each record. They are written at the end
-- of the script, once for each field and not once for each job.

-- Jobs that move from one count to another are gathered first: batch, both counts, jobs. Then the batches are looked at
-- that may have ended by it. Jobs that became final by a call, and not because their batch was ended, make its rate.
local moved, ended, ended_calls = {}, {}, {}
-- batch -> rows and records of jobs that became final, or another final state
local finals_of = {}

local function move_jobs(from_state, to_state, jobs)
  add_total('jobs|' .. from_state, -jobs)
  add_total('jobs|' .. to_state, jobs)
end

-- Moves one job from the count of its old record to that of its new one.
local function move_count(batch, row, old, new)
  local moves, both = moved[batch] or {}, count_of(old) .. count_of(new)
  moved[batch] = moves
  moves[both] = (moves[both] or 0) + 1
  local state = string.byte(new)
  if state < FINAL or state == string.byte(old) then return end
  local jobs = finals_of[batch] or {}
  finals_of[batch] = jobs
  jobs[#jobs + 1], jobs[#jobs + 2] = row, new
end

-- What follows is used by write_counts alone.
local write_counts
do
  -- Jobs that become final are added to the batch's sum and to the totals.
  local function add_moves(batch, from, to, jobs)
    if from == to then return end
    local counts, old_state, new_state = part_key(batch, 'counts'), string.byte(from), string.byte(to)
    add(counts, count_field(from), -jobs)
    add(counts, count_field(to), jobs)
    move_jobs(old_state, new_state, jobs)
    if new_state >= FINAL and old_state < FINAL then
      add_total('final|' .. count_field(to), jobs)
      add(batch_key(batch), 'finals', jobs)
      if new_state < CANCELLED then
        ended_calls[batch] = (ended_calls[batch] or 0) + jobs
        local started_ms = stored_number(redis.call('HGET', batch_key(batch), 'started_ms'))
        if started_ms > 0 then add_durations('final_seconds', FINAL_S, now_ms() - started_ms, jobs) end
      end
    end
    if new_state >= FINAL then ended[batch] = true end
  end

  local function tell_of_finals(batch)
    local jobs = finals_of[batch] or {}
    for i = 1, #jobs, 2 do
      append_event(batch, 'job.final', text(jobs[i]) .. ':' .. count_field(count_of(jobs[i + 1])))
    end
  end

  local function state_counts(batch)
    local counts, fields = {}, redis.call('HGETALL', part_key(batch, 'counts'))
    for i = 1, #fields, 2 do
      local state = string.match(fields[i], '^(%d+):')
      if state then counts[state] = (counts[state] or 0) + stored_number(fields[i + 1]) end
    end
    return counts
  end

  local function cross(batch, measure, thresholds, percent, data)
    local field, highest = 'told_' .. measure, nil
    local told = stored_number(redis.call('HGET', batch_key(batch), field))
    for _, threshold in ipairs(thresholds) do
      if told < threshold and threshold <= percent then highest = math.max(threshold, highest or 0) end
    end
    if not highest then return end
    redis.call('HSET', batch_key(batch), field, text(highest))
    data.measure, data.threshold = measure, highest
    append_event(batch, 'batch.threshold_crossed', data)
  end

  -- The same steps as thresholds_crossed (batch_events.py). The rules are those of the policy when the batch started.
  local function tell_of_thresholds(batch, finals, rows)
    local key = batch_key(batch)
    local rules = cjson.decode(redis.call('HGET', key, 'event_rules'))
    local failed = state_counts(batch)[text(FAILED)] or 0
    if finals < rows then cross(batch, 'progress', rules.progress, finals * 100 / rows, {jobs = finals, of = rows}) end
    if finals >= math.min(rules.failed_jobs, rows) then
      cross(batch, 'failed', rules.failed, failed * 100 / finals, {jobs = failed, of = finals})
    end
    redis.call('HSET', key, 'look_at', text(finals + math.max(1, math.floor(rows / 100))))
  end

  local function tell_of_end(batch, rows)
    local control = redis.call('HGET', batch_key(batch), 'control')
    append_event(batch, 'batch.finished', {control = control, jobs = rows, counts = state_counts(batch)})
  end

  local function end_if_last(batch)
    local key = batch_key(batch)
    local stored = redis.call('HMGET', key, 'finals', 'rows', 'look_at', 'job_events')
    local finals, rows, look_at, job_events = unpack(stored)
    finals, rows = stored_number(finals, -1), stored_number(rows, math.huge)
    if job_events == '1' then tell_of_finals(batch) end
    if look_at and finals > 0 and finals >= math.min(stored_number(look_at), rows) then
      alone(tell_of_thresholds, batch, finals, rows)
    end
    if finals < rows then return end
    local is_new = redis.call('HSETNX', key, 'finished_ms', text(now_ms())) == 1
    if is_new then release_documents(batch) end
    redis.call('ZREM', KEY.deadlines, batch)
    end_holds_of(batch)
    if is_new then tell_of_end(batch, rows) end
  end

  -- The jobs of a batch that ended in this window of time and in the one before: "<window> <jobs> <jobs before>".
  local function note_lately(batch, jobs)
    local window = math.floor(now_ms() / LATELY_MS)
    local stored = redis.call('HGET', batch_key(batch), 'lately') or ''
    local known, this, before = string.match(stored, '^(%d+) (%d+) (%d+)$')
    known, this, before = stored_number(known), stored_number(this), stored_number(before)
    if known ~= window then this, before = 0, known == window - 1 and this or 0 end
    redis.call('HSET', batch_key(batch), 'lately', text(window) .. ' ' .. text(this + jobs) .. ' ' .. text(before))
  end

  -- Every script ends with this (lua.py). The last final job of a batch ends it, and then it cannot expire any more; a
  -- count of nothing is left out.
  local SPARSE = {counts = true, waits = true, held_jobs = true}
  write_counts = function()
    for batch, moves in pairs(moved) do
      for both, jobs in pairs(moves) do add_moves(batch, string.sub(both, 1, 3), string.sub(both, 4), jobs) end
    end
    for key, fields in pairs(added) do
      local is_sparse = SPARSE[string.match(key, ':batch:%w+:([%l_]+)$') or ''] or key == KEY['holds:jobs']
      for field, by in pairs(fields) do
        local ok, count = by == 0, 1
        if by ~= 0 then ok, count = alone(redis.call, 'HINCRBY', key, field, text(by)) end
        if ok and count <= 0 and is_sparse then
          redis.call('HDEL', key, field)
          if key == KEY['holds:jobs'] then alone(redis.call, 'HDEL', KEY['holds:first'], field) end
        end
      end
    end
    for batch, jobs in pairs(ended_calls) do alone(note_lately, batch, jobs) end
    for batch in pairs(ended) do end_if_last(batch) end
  end
end
