-- release: ends a hold; its work is claimed again at once. What still waits for a hold that has ended is woken as well.
-- KEYS: a key of the account.
-- ARGV: options `scope`, `hold_id` (empty: whichever stands).
-- Answer: 1 when there was such a hold.
-- Safe to repeat.
local scope, hold_id, now = OPTIONS.scope, OPTIONS.hold_id, now_ms()
local hold = load_hold(scope)
if not hold and redis.call('EXISTS', stopped_batches_key(scope)) == 1 then
  redis.call('SADD', KEY.released, scope)
  wake()
end
if not hold or (hold_id ~= '' and hold.id ~= hold_id) then return 0 end
end_hold(scope)
-- somebody has looked at the batch's numbers: it is not held for them again
if hold.category == BAD_NUMBERS and batch_of(scope) then
  redis.call('HSET', batch_key(batch_of(scope)), 'bad_numbers', 'accepted')
end
local batch, row = job_of(scope)
if batch then
  local record = read_record(batch, row)
  if #record == WIDTH then move_due(batch, text(row), record, now) end
  if redis.call('HGET', batch_key(batch), 'control') == 'running' then lower_timer(batch, now) end
end
return 1
