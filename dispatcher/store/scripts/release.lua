-- release: ends a hold; its work is claimed again at once (a held job) or at the next recheck (seconds).
-- ARGV: scope, id of the hold (empty: whichever stands). Answer: 1 when there was such a hold. Safe to repeat.
local scope, now = ARGV[1], math.floor(now_us() / 1000)
local hold = load_hold(scope)
if not hold or (ARGV[2] ~= '' and hold.id ~= ARGV[2]) then return 0 end
end_hold(scope)
local batch, row = string.match(scope, '^job:(%w+)%.(%d+)$')
if batch then
  redis.call('ZADD', part_key(batch, 'due'), 'XX', text(now), row)
else
  batch = string.match(scope, '^batch:(%w+)$')
end
if batch and redis.call('HGET', batch_key(batch), 'control') == 'running' then lower_timer(batch, now) end
return 1
