-- finalize: gives the waiting jobs of cancelled and expired batches their final state, a bounded step at a time.
-- KEYS: a key of the account.
-- ARGV: option `max_jobs`.
-- Answer: how many jobs became final.
-- Safe to repeat.
local max_jobs, finalized = OPTIONS.max_jobs, 0

-- ``due_ms`` has the times at which the rows were due; parked rows have none.
local function finalize(batch, ending, rows, due_ms)
  for i, row in ipairs(rows) do
    row = stored_number(row, -1)
    local record = row >= 0 and read_record(batch, row) or ''
    -- of a record that does not say that its job waits, nothing is known
    if #record == WIDTH and string.byte(record) == WAITING then
      local _, _, attempt = head(record)
      local new = with_head(record, ending, 0, attempt, 0)
      end_hold(scope_of('job', job_name(batch, row)))
      write_record(batch, row, new)
      move_count(batch, row, record, new)
      if due_ms then count_wait(batch, record, stored_number(due_ms[i]), -1) end
    end
  end
  finalized = finalized + #rows
end

local function drain(batch)
  local due, ending = part_key(batch, 'due'), ENDING[redis.call('HGET', batch_key(batch), 'control')]
  local rows, due_ms = {}, {}
  local flat = ending and redis.call('ZRANGE', due, 0, max_jobs - finalized - 1, 'WITHSCORES') or {}
  for i = 1, #flat, 2 do rows[#rows + 1], due_ms[#due_ms + 1] = flat[i], flat[i + 1] end
  if #rows > 0 then redis.call('ZREM', due, unpack(rows)) end
  finalize(batch, ending, rows, due_ms)
  for _, country in ipairs(ending and parked_countries(batch) or {}) do
    if finalized < max_jobs then finalize(batch, ending, take_parked(batch, country, max_jobs - finalized)) end
  end
  if redis.call('ZCARD', due) == 0 and redis.call('EXISTS', part_key(batch, 'parked')) == 0 then
    redis.call('SREM', KEY.draining, batch)
  end
end

for _, batch in ipairs(redis.call('SRANDMEMBER', KEY.draining, 16)) do
  if not alone(drain, batch) then redis.call('SREM', KEY.draining, batch) end
  if finalized >= max_jobs then break end
end
return finalized
