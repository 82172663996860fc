-- strike: one more failure of a scope that is held after several of them. The hold that follows ends the count.
-- ARGV: scope, failures that hold it, the attempt that failed (<job>/<attempt>).
-- Answer: 1 when the scope shall be held. Safe to repeat: an attempt counts once.
redis.call('SADD', 'bf:strikes:' .. ARGV[1], ARGV[3])
return redis.call('SCARD', 'bf:strikes:' .. ARGV[1]) >= tonumber(ARGV[2]) and 1 or 0
