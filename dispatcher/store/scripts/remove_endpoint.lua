-- remove_endpoint: forgets a webhook endpoint and its deliveries. Its id is known for a while, so that a late repeat of
-- the request that created it creates no other.
-- KEYS: a key of the account.
-- ARGV: option `endpoint`.
-- Answer: 1 when there was such an endpoint.
-- Safe to repeat.
local id = OPTIONS.endpoint
redis.call('ZREM', KEY['webhooks:due'], id)
redis.call('UNLINK', webhook_key(id), webhook_deliveries_key(id))
if redis.call('HDEL', KEY.webhooks, id) == 0 then return 0 end
redis.call('ZADD', KEY.deleted, text(now_ms() + DELETED_KNOWN_MS), id)
return 1
