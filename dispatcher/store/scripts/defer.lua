-- defer: keeps callbacks that cannot be believed yet until a later time.
-- ARGV: most that are kept, then for each its time (ms) and the event.
-- Answer: how many of them are kept. Safe to repeat: an event is kept once.
local most, kept = tonumber(ARGV[1]), 0
for i = 2, #ARGV, 2 do
  if redis.call('ZSCORE', 'bf:inbox:deferred', ARGV[i + 1]) or redis.call('ZCARD', 'bf:inbox:deferred') < most then
    redis.call('ZADD', 'bf:inbox:deferred', ARGV[i], ARGV[i + 1])
    kept = kept + 1
  end
end
return kept
