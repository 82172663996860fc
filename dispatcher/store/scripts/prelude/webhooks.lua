-- Put in front of the scripts of webhook endpoints. The hash of an endpoint has the fields
--   position          the event behind which the next delivery begins
--   delivery, last, events, failures, failing_since_ms   what is being delivered, until it is; failures so far
--   token, turn_ms    of the turn of the process that delivers, and when the turn is over: no other turn begins before
--   changed           the endpoint was changed in this turn, so what comes of it does not count
--   delivered_ms      when a delivery was taken last
--   body_bytes, body_ms   what it takes at once, and since when that is known, if it found a body too large
--   disabled_ms, reason   since when it gets nothing, and why
--   deliveries        number of attempts

local function forget_delivery(key)
  redis.call('HDEL', key, 'delivery', 'last', 'events', 'failures', 'failing_since_ms')
end

-- The next turn may begin at a time. 0: as soon as there are new events.
local function end_turn(key, id, next_ms)
  redis.call('HDEL', key, 'token', 'turn_ms', 'changed')
  redis.call('ZADD', KEY['webhooks:due'], 'XX', text(next_ms), id)
end

local function begin_turn(key, id, token, until_ms)
  redis.call('HSET', key, 'token', token, 'turn_ms', text(until_ms))
  redis.call('ZADD', KEY['webhooks:due'], 'XX', text(until_ms), id)
end

-- Whether a process still has its turn. A change of the endpoint in the meantime ends it, and the next one can begin.
local function has_turn(key, id, token)
  local holder, changed = unpack(redis.call('HMGET', key, 'token', 'changed'))
  if holder == token and changed then end_turn(key, id, now_ms()) end
  return holder == token and not changed
end

-- Whether an event of the stream comes before another one.
local function is_before(event, other)
  local ms, n = string.match(event, '^(%d+)%-(%d+)$')
  local other_ms, other_n = string.match(other, '^(%d+)%-(%d+)$')
  if ms ~= other_ms then return tonumber(ms) < tonumber(other_ms) end
  return tonumber(n) < tonumber(other_n)
end
