-- take_deferred: deferred callbacks whose time has come. They come again until they are done or deferred anew.
-- ARGV: most of them, time until they come again (ms).
-- Answer: the events, or nothing. Safe to repeat.
local now = now_ms()
local due = redis.call('ZRANGEBYSCORE', 'bf:inbox:deferred', '-inf', text(now), 'LIMIT', 0, tonumber(ARGV[1]))
for _, event in ipairs(due) do redis.call('ZADD', 'bf:inbox:deferred', text(now + tonumber(ARGV[2])), event) end
return #due > 0 and due
