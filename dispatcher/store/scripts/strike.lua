-- strike: one more failure of a scope that is held after several of them.
-- ARGV: scope, failures that hold it. Answer: 1 when the scope shall be held now; the count starts anew.
local count = redis.call('HINCRBY', 'bf:strikes', ARGV[1], 1)
if count < tonumber(ARGV[2]) then return 0 end
redis.call('HDEL', 'bf:strikes', ARGV[1])
return 1
