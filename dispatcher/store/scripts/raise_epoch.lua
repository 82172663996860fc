-- raise_epoch: lifts the account's write epoch to one that the provider has seen, while a loss of writes is reconciled.
-- ARGV: epoch. Answer: 1 when it was lower. Safe to repeat.
local epoch = tonumber(ARGV[1])
if tonumber(redis.call('HGET', 'bf:epoch', 'write_epoch') or 0) >= epoch then return 0 end
redis.call('HSET', 'bf:epoch', 'write_epoch', text(epoch))
return 1
