-- announce_risk: tells producers that the deadline of a batch is at risk, once for each deadline.
-- KEYS: a key of the account.
-- ARGV: options `batch`, `deadline_ms` (the deadline that was looked at), `jobs` (that have not ended), `expected_ms`
--       (when they will have ended; 0: never, as it goes now).
-- Answer: 1 when it is new; 0 when it was told, the batch has another deadline now, or has ended.
-- Safe to repeat.
local key = batch_key(OPTIONS.batch)
local deadline, finished, told = unpack(redis.call('HMGET', key, 'deadline_ms', 'finished_ms', 'told_deadline_ms'))
if finished or stored_number(deadline) ~= OPTIONS.deadline_ms or stored_number(told) == OPTIONS.deadline_ms then
  return 0
end
redis.call('HSET', key, 'told_deadline_ms', text(OPTIONS.deadline_ms))
append_event(OPTIONS.batch, 'batch.deadline_at_risk',
  {deadline_ms = OPTIONS.deadline_ms, jobs = OPTIONS.jobs, expected_ms = OPTIONS.expected_ms})
return 1
