-- raise_epoch: raises the account's write epoch to one that the provider has seen, while a loss of writes is
-- reconciled.
-- KEYS: a key of the account.
-- ARGV: option `epoch`.
-- Answer: 1 when the stored one was lower.
-- Safe to repeat.
local epoch = OPTIONS.epoch
if tonumber(redis.call('HGET', KEY.epoch, 'write_epoch') or 0) >= epoch then return 0 end
redis.call('HSET', KEY.epoch, 'write_epoch', text(epoch))
return 1
