-- defer: keeps a callback that cannot be believed yet until a later time.
-- KEYS: a key of the account.
-- ARGV: options `max_events` (the most that are kept), `again_ms` (its time); then the event.
-- Answer: 1 when it is kept, or nothing.
-- Safe to repeat: an event is kept once.
local deferred, event = KEY['inbox:deferred'], ARGV[2]
local is_new = not redis.call('ZSCORE', deferred, event)
if is_new and redis.call('ZCARD', deferred) >= OPTIONS.max_events then return false end
redis.call('ZADD', deferred, text(OPTIONS.again_ms), event)
if OPTIONS.again_ms - now_ms() < LONGEST_SLEEP_MS then wake() end
return 1
