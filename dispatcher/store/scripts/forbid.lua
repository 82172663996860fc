-- forbid: a country was refused. Several within a few sends mean that it is not the country.
-- ARGV: the country's scope, sends to look back on, countries among them that are too many.
-- Answer: 1 when there were so many. Safe to repeat: a country counts once, with its last refusal.
local scope, window, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
redis.call('ZADD', 'bf:forbidden', text(sends_made()), scope)
redis.call('ZREMRANGEBYSCORE', 'bf:forbidden', '-inf', text(sends_made() - window))
return redis.call('ZCARD', 'bf:forbidden') >= most and 1 or 0
