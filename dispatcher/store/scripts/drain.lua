-- drain: gives the waiting jobs of cancelled and expired batches their final state, a bounded step at a time.
-- ARGV: most jobs. Answer: jobs that became final. Safe to repeat.
local most, drained = tonumber(ARGV[1]), 0
for _, batch in ipairs(redis.call('SRANDMEMBER', 'bf:draining', 16)) do
  local due, ending = part_key(batch, 'due'), ENDING[redis.call('HGET', batch_key(batch), 'control')]
  local rows = ending and redis.call('ZRANGE', due, 0, most - drained - 1) or {}
  for _, row in ipairs(rows) do
    local record = read_record(batch, tonumber(row))
    local _, _, attempt = head(record)
    local new = with_head(record, ending, 0, attempt, 0)
    redis.call('ZREM', due, row)
    end_hold('job:' .. job_name(batch, row))
    write_record(batch, tonumber(row), new)
    move_count(batch, record, new)
  end
  drained = drained + #rows
  if redis.call('ZCARD', due) == 0 then redis.call('SREM', 'bf:draining', batch) end
  if drained >= most then break end
end
return drained
