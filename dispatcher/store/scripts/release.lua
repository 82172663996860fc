-- release: ends a hold; its work is claimed again at once. What still waits for a hold that has ended is woken as well.
-- ARGV: scope, id of the hold (empty: whichever stands). Answer: 1 when there was such a hold. Safe to repeat.
local scope, now = ARGV[1], now_ms()
local hold = load_hold(scope)
if not hold and redis.call('EXISTS', 'bf:parked:' .. scope) == 1 then
  redis.call('SADD', 'bf:released', scope)
  wake()
end
if not hold or (ARGV[2] ~= '' and hold.id ~= ARGV[2]) then return 0 end
end_hold(scope)
local batch, row = string.match(scope, '^job:(%w+)%.(%d+)$')
if batch then
  redis.call('ZADD', part_key(batch, 'due'), 'XX', text(now), row)
  if redis.call('HGET', batch_key(batch), 'control') == 'running' then lower_timer(batch, now) end
end
return 1
