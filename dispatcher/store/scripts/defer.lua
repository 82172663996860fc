-- defer: keeps callbacks that cannot be believed yet until a later time.
-- ARGV: most that are kept, then for each its time (ms) and the event.
-- Answer: how many of them are kept, or nothing. Safe to repeat: an event is kept once.
local most, now, kept, soon = tonumber(ARGV[1]), now_ms(), 0, false
for i = 2, #ARGV, 2 do
  if redis.call('ZSCORE', 'bf:inbox:deferred', ARGV[i + 1]) or redis.call('ZCARD', 'bf:inbox:deferred') < most then
    redis.call('ZADD', 'bf:inbox:deferred', ARGV[i], ARGV[i + 1])
    kept, soon = kept + 1, soon or tonumber(ARGV[i]) - now < LONGEST_SLEEP_MS
  end
end
if soon then wake() end
return kept > 0 and kept
