-- put_endpoint: stores a webhook endpoint, a new one or a change of one, by compare-and-set on its definition.
-- KEYS: a key of the account.
-- ARGV: options `endpoint`, `before` (its definition as it was read; empty: it is new), `after` (JSON),
--       `max_endpoints`, `position` (the event behind which it begins; empty: a new one begins with the next event,
--       another one stays where it is), `enabled` (`yes`, `no`, or empty: as it is), `reason` (why it is disabled).
-- Answer: `done`, `full` (there are so many endpoints), `changed` (another definition is stored), or `missing`.
-- Safe to repeat: what is stored already is done.
-- A delivery that is under way, or is to be repeated, is forgotten: its events are delivered again, as a new delivery.
local id, key, now = OPTIONS.endpoint, webhook_key(OPTIONS.endpoint), now_ms()
local stored = redis.call('HGET', KEY.webhooks, id)
if stored ~= OPTIONS.after then
  if not stored and OPTIONS.before ~= '' then return 'missing' end
  if stored and stored ~= OPTIONS.before then return 'changed' end
  if not stored and redis.call('HLEN', KEY.webhooks) >= OPTIONS.max_endpoints then return 'full' end
end
redis.call('HSET', KEY.webhooks, id, OPTIONS.after)
if not stored and OPTIONS.position == '' then
  local last = redis.call('XREVRANGE', KEY.events, '+', '-', 'COUNT', 1)[1]
  redis.call('HSET', key, 'position', last and last[1] or '0-0')
elseif OPTIONS.position ~= '' then
  redis.call('HSET', key, 'position', OPTIONS.position)
end
forget_delivery(key)
if OPTIONS.enabled == 'no' then
  -- one that somebody has disabled before is so since then
  if redis.call('HGET', key, 'reason') ~= OPTIONS.reason then
    redis.call('HSET', key, 'disabled_ms', text(now), 'reason', OPTIONS.reason)
  end
elseif OPTIONS.enabled == 'yes' then
  redis.call('HDEL', key, 'disabled_ms', 'reason')
end
if redis.call('HEXISTS', key, 'disabled_ms') == 1 then
  redis.call('ZREM', KEY['webhooks:due'], id)
else
  redis.call('ZADD', KEY['webhooks:due'], text(now), id)
end
return 'done'
