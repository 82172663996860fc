-- remove_endpoint: forgets a webhook endpoint and its deliveries.
-- KEYS: a key of the account.
-- ARGV: option `endpoint`.
-- Answer: 1 when there was such an endpoint.
-- Safe to repeat.
local id = OPTIONS.endpoint
redis.call('ZREM', KEY['webhooks:due'], id)
redis.call('UNLINK', webhook_key(id), webhook_deliveries_key(id))
return redis.call('HDEL', KEY.webhooks, id)
