-- hold: stops sending for a scope. A scope that is held already keeps its beginning and its probe time.
-- ARGV: scope, category, cause, first probe after (ms; 0 for by hand), probe every (ms).
-- Answer: 1 when the hold is new. Safe to repeat.
local now = math.floor(now_us() / 1000)
local probe_at = tonumber(ARGV[4]) > 0 and now + tonumber(ARGV[4]) or 0
local hold = cjson.encode({scope = ARGV[1], category = ARGV[2], cause = ARGV[3], since_ms = now,
  probe_at_ms = probe_at, probe_every_ms = tonumber(ARGV[5])})
local new = redis.call('HSETNX', 'bf:holds', ARGV[1], hold)
redis.call('UNLINK', 'bf:strikes:' .. ARGV[1])
if new == 1 then redis.call('HINCRBY', 'bf:totals', 'holds|' .. ARGV[2], 1) end
return new
