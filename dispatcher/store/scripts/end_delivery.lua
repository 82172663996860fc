-- end_delivery: stores what came of an attempt to deliver to a webhook endpoint, and ends the turn.
-- KEYS: a key of the account.
-- ARGV: options `endpoint`, `token`, `delivery`, `result` (`delivered`, `failed` or `disabled`), `again_ms` (when it is
--       repeated), `reason` (why it is disabled), `body_bytes` (what it takes at once from now on, so that the events
--       become smaller deliveries; 0: as it was), `record` (JSON, for people).
-- Answer: 1; 0 when the turn is over, the endpoint was changed in it, or the delivery is not that of the endpoint.
-- Safe to repeat: then the turn is over.
local id, key, now = OPTIONS.endpoint, webhook_key(OPTIONS.endpoint), now_ms()
local delivery, last = unpack(redis.call('HMGET', key, 'delivery', 'last'))
if not has_turn(key, id, OPTIONS.token) or delivery ~= OPTIONS.delivery then return 0 end
add_total('webhook_deliveries|' .. OPTIONS.result, 1)
local deliveries = webhook_deliveries_key(id)
redis.call('LPUSH', deliveries, OPTIONS.record)
redis.call('LTRIM', deliveries, 0, DELIVERIES_KEPT - 1)
redis.call('HINCRBY', key, 'deliveries', 1)
if OPTIONS.result == 'delivered' then
  redis.call('HSET', key, 'position', last, 'delivered_ms', text(now))
  forget_delivery(key)
  end_turn(key, id, 0)
  return 1
end
end_turn(key, id, OPTIONS.again_ms)
if OPTIONS.body_bytes > 0 then
  redis.call('HSET', key, 'body_bytes', text(OPTIONS.body_bytes), 'body_ms', text(now))
  forget_delivery(key)
else
  redis.call('HINCRBY', key, 'failures', 1)
  redis.call('HSETNX', key, 'failing_since_ms', text(now))
end
if OPTIONS.result == 'disabled' then
  redis.call('HSET', key, 'disabled_ms', text(now), 'reason', OPTIONS.reason)
  redis.call('ZREM', KEY['webhooks:due'], id)
end
return 1
