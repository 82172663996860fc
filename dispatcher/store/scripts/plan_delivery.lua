-- plan_delivery: stores what is delivered to a webhook endpoint next, before it is sent: a repeat after the end of a
-- process has the same id and the same events.
-- KEYS: a key of the account.
-- ARGV: options `endpoint`, `token`, `delivery`, `last` (the endpoint has all events until then once it is delivered),
--       `events` (their number; 0: none until then is for it, so it moves on and the turn ends).
-- Answer: 1; 0 when the turn is over.
-- Safe to repeat.
local id, key = OPTIONS.endpoint, webhook_key(OPTIONS.endpoint)
if redis.call('HGET', key, 'token') ~= OPTIONS.token then return 0 end
if OPTIONS.events == 0 then
  redis.call('HSET', key, 'position', OPTIONS.last)
  forget_delivery(key)
  redis.call('ZADD', KEY['webhooks:due'], 'XX', 0, id)
else
  redis.call('HDEL', key, 'failures', 'failing_since_ms')
  redis.call('HSET', key, 'delivery', OPTIONS.delivery, 'last', OPTIONS.last, 'events', text(OPTIONS.events))
end
return 1
