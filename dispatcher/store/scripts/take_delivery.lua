-- take_delivery: one process may deliver to a webhook endpoint for some time.
-- KEYS: a key of the account.
-- ARGV: options `endpoint`, `token` (of this turn), `turn_ms`, `furthest_ms` (no delivery is put off for longer: a time
--       beyond it is of a clock that was set back).
-- Answer: {definition, {field, value, ... of its state}}; nil when it is not due, it is another process's turn, or it
-- is gone.
-- Safe to repeat: the same token gets its turn again.
local id, key, now = OPTIONS.endpoint, webhook_key(OPTIONS.endpoint), now_ms()
local definition, due = redis.call('HGET', KEY.webhooks, id), redis.call('ZSCORE', KEY['webhooks:due'], id)
if not definition or not due then return false end
local mine = redis.call('HGET', key, 'token') == OPTIONS.token
local waits = tonumber(due) > now and tonumber(due) <= now + OPTIONS.furthest_ms
if waits and not mine then return false end
redis.call('HDEL', key, 'changed')
begin_turn(key, id, OPTIONS.token, now + OPTIONS.turn_ms)
return {definition, redis.call('HGETALL', key)}
