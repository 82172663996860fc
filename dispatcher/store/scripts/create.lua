-- create: stores a batch as a draft without recipients.
-- ARGV: batch, creation time (ms), then field and value of its hash, field and value, ...
-- Answer: 1, or 0 when the batch exists. Safe to repeat.
local batch, created_ms = ARGV[1], ARGV[2]
local key = batch_key(batch)
if redis.call('EXISTS', key) == 1 then return 0 end
redis.call('HSET', key, unpack(ARGV, 3))
redis.call('ZADD', 'bf:batches', 'NX', created_ms, batch)
return 1
