-- take_deferred: deferred callbacks whose time has come. They come again until they are done or deferred anew.
-- KEYS: a key of the account.
-- ARGV: options `max_events`, `again_ms` (time until they come again).
-- Answer: the events, or nothing.
-- Safe to repeat.
local now, deferred = now_ms(), KEY['inbox:deferred']
local due = redis.call('ZRANGEBYSCORE', deferred, '-inf', text(now), 'LIMIT', 0, OPTIONS.max_events)
for _, event in ipairs(due) do redis.call('ZADD', deferred, text(now + OPTIONS.again_ms), event) end
return #due > 0 and due
