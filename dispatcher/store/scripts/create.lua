-- create: stores a batch as a draft without recipients.
-- KEYS: a key of the account.
-- ARGV: options `batch`, `created_ms`; then field and value of its hash, field and value, ...
-- Answer: 1, or 0 when the batch exists.
-- Safe to repeat.
local key = batch_key(OPTIONS.batch)
if redis.call('EXISTS', key) == 1 then return 0 end
redis.call('HSET', key, unpack(ARGV, 2))
redis.call('ZADD', KEY.batches, 'NX', text(OPTIONS.created_ms), OPTIONS.batch)
return 1
