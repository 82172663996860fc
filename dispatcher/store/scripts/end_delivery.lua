-- end_delivery: stores what came of an attempt to deliver to a webhook endpoint, and ends the turn.
-- KEYS: a key of the account.
-- ARGV: options `endpoint`, `token`, `delivery`, `result` (`delivered`, `failed` or `disabled`), `again_ms` (when it is
--       repeated), `reason` (why it is disabled), `record` (JSON, for people).
-- Answer: 1; 0 when the turn is over, or the delivery is not that of the endpoint any more.
-- Safe to repeat: then the turn is over.
local id, key, now = OPTIONS.endpoint, webhook_key(OPTIONS.endpoint), now_ms()
local token, delivery, last = unpack(redis.call('HMGET', key, 'token', 'delivery', 'last'))
if token ~= OPTIONS.token or delivery ~= OPTIONS.delivery then return 0 end
redis.call('HDEL', key, 'token')
add_total('webhook_deliveries|' .. OPTIONS.result, 1)
local deliveries = webhook_deliveries_key(id)
redis.call('LPUSH', deliveries, OPTIONS.record)
redis.call('LTRIM', deliveries, 0, DELIVERIES_KEPT - 1)
redis.call('HINCRBY', key, 'deliveries', 1)
if OPTIONS.result == 'delivered' then
  redis.call('HSET', key, 'position', last, 'delivered_ms', text(now))
  forget_delivery(key)
  redis.call('ZADD', KEY['webhooks:due'], 'XX', 0, id)
else
  redis.call('HINCRBY', key, 'failures', 1)
  redis.call('HSETNX', key, 'failing_since_ms', text(now))
  redis.call('ZADD', KEY['webhooks:due'], 'XX', text(OPTIONS.again_ms), id)
end
if OPTIONS.result == 'disabled' then
  redis.call('HSET', key, 'disabled_ms', text(now), 'reason', OPTIONS.reason)
  redis.call('ZREM', KEY['webhooks:due'], id)
end
return 1
