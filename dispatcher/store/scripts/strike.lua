-- strike: one more failure of a scope that is held after several of them in a row: with no success between them
-- (settle.lua), and none so long ago that it says nothing of the others. The hold that follows ends the count.
-- ARGV: scope, failures that hold it, the attempt that failed (<job>/<attempt>), time within which they lie (ms).
-- Answer: 1 when the scope shall be held. Safe to repeat: an attempt counts once.
local key, hold_after, within_ms = 'bf:strikes:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local now = now_ms()
redis.call('ZADD', key, 'NX', text(now), ARGV[3])
redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now - within_ms))
redis.call('ZREMRANGEBYRANK', key, 0, -hold_after - 1)
redis.call('PEXPIRE', key, text(within_ms + CLEAN_UP_MS))
return redis.call('ZCARD', key) >= hold_after and 1 or 0
