-- plan_delivery: stores what is delivered to a webhook endpoint now, before it is sent: a repeat after the end of a
-- process has the same id and the same events. The turn begins anew, so that the request fits in.
-- KEYS: a key of the account.
-- ARGV: options `endpoint`, `token`, `turn_ms`, `delivery` (one that is stored already is repeated), `last` (the
--       endpoint has all events until then once it is delivered), `events` (their number; 0: none until then is for
--       it, so it moves on and the turn ends).
-- Answer: 1; 0 when the turn is over, or the endpoint was changed in it.
-- Safe to repeat.
local id, key = OPTIONS.endpoint, webhook_key(OPTIONS.endpoint)
if not has_turn(key, id, OPTIONS.token) then return 0 end
if OPTIONS.events == 0 then
  redis.call('HSET', key, 'position', OPTIONS.last)
  forget_delivery(key)
  end_turn(key, id, 0)
  return 1
end
begin_turn(key, id, OPTIONS.token, now_ms() + OPTIONS.turn_ms)
if redis.call('HGET', key, 'delivery') == OPTIONS.delivery then return 1 end
redis.call('HDEL', key, 'failures', 'failing_since_ms')
redis.call('HSET', key, 'delivery', OPTIONS.delivery, 'last', OPTIONS.last, 'events', text(OPTIONS.events))
return 1
