-- Put in front of the scripts of webhook endpoints. The hash of an endpoint has the fields
--   position          the event behind which the next delivery begins
--   delivery, last, events, failures, failing_since_ms   what is being delivered, until it is; failures so far
--   token             of the turn of the process that delivers; its end is the score in webhooks:due
--   delivered_ms      when a delivery was taken last
--   disabled_ms, reason   since when it gets nothing, and why
--   deliveries        number of attempts

local function forget_delivery(key)
  redis.call('HDEL', key, 'delivery', 'last', 'events', 'failures', 'failing_since_ms', 'token')
end
