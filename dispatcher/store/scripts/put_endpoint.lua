-- put_endpoint: stores a webhook endpoint, a new one or a change of one, by compare-and-set on its definition.
-- KEYS: a key of the account.
-- ARGV: options `endpoint`, `before` (its definition as it was read; empty: it is new), `after` (JSON),
--       `max_endpoints`, `position` (the event behind which it begins, the last one at most; empty: a new one begins
--       with the next event, another one stays where it is), `enabled` (`yes`, `no`, or empty: as it is), `reason` (why
--       it is disabled).
-- Answer: `done`, `full` (there are so many endpoints), `exists` (the new one is stored already, and stays as it is),
-- `deleted` (the new one was), `changed` (another definition is stored), or `missing`.
-- Safe to repeat: a new one exists then, and a change that is stored already changes nothing.
-- A delivery that is to be repeated is forgotten: its events are delivered again, as a new delivery. So are those of
-- one that is under way, once its request has ended or the time for it is over.
local id, key, now = OPTIONS.endpoint, webhook_key(OPTIONS.endpoint), now_ms()
local stored = redis.call('HGET', KEY.webhooks, id)
if OPTIONS.before == '' then
  if stored then return 'exists' end
  if redis.call('ZSCORE', KEY.deleted, id) then
    redis.call('ZADD', KEY.deleted, text(now + DELETED_KNOWN_MS), id)
    return 'deleted'
  end
  if redis.call('HLEN', KEY.webhooks) >= OPTIONS.max_endpoints then return 'full' end
elseif not stored then
  return 'missing'
elseif stored ~= OPTIONS.before and stored ~= OPTIONS.after then
  return 'changed'
end
local disabled, reason = unpack(redis.call('HMGET', key, 'disabled_ms', 'reason'))
local is_so = OPTIONS.enabled == '' or OPTIONS.enabled == 'yes' and not disabled
  or OPTIONS.enabled == 'no' and reason == OPTIONS.reason
if stored == OPTIONS.after and OPTIONS.position == '' and is_so then return 'done' end
redis.call('HSET', KEY.webhooks, id, OPTIONS.after)
local last = redis.call('XREVRANGE', KEY.events, '+', '-', 'COUNT', 1)[1]
last = last and last[1] or '0-0'
local position = OPTIONS.position
if not stored and position == '' then
  redis.call('HSET', key, 'position', last)
elseif position ~= '' then
  redis.call('HSET', key, 'position', is_before(position, last) and position or last)
end
forget_delivery(key)
redis.call('HDEL', key, 'body_bytes', 'body_ms')
if OPTIONS.enabled == 'no' then
  -- one that somebody has disabled before is so since then
  if reason ~= OPTIONS.reason then
    redis.call('HSET', key, 'disabled_ms', text(now), 'reason', OPTIONS.reason)
  end
elseif OPTIONS.enabled == 'yes' then
  redis.call('HDEL', key, 'disabled_ms', 'reason')
end
local token, turn_ms = unpack(redis.call('HMGET', key, 'token', 'turn_ms'))
if token then redis.call('HSET', key, 'changed', 1) end
if redis.call('HEXISTS', key, 'disabled_ms') == 1 then
  redis.call('ZREM', KEY['webhooks:due'], id)
else
  redis.call('ZADD', KEY['webhooks:due'], text(math.max(now, stored_number(turn_ms))), id)
end
return 'done'
