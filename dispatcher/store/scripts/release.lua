-- release: ends a hold; its work is claimed again at once (a held job) or at the next recheck (seconds).
-- ARGV: scope. Answer: 1 when there was such a hold. Safe to repeat.
local scope, now = ARGV[1], math.floor(now_us() / 1000)
if redis.call('HDEL', 'bf:holds', scope) == 0 then return 0 end
wake()
local batch, row = string.match(scope, '^job:(%w+)%.(%d+)$')
if batch then
  redis.call('ZADD', part_key(batch, 'due'), 'XX', text(now), row)
else
  batch = string.match(scope, '^batch:(%w+)$')
end
if batch and redis.call('HGET', batch_key(batch), 'control') == 'running' then lower_timer(batch, now) end
return 1
