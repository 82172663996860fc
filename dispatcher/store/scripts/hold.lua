-- hold: stops sending for a scope. A scope that is held already keeps its beginning and its probe time.
-- ARGV: scope, category, cause, times to the first probe and between probes (JSON list, ms; empty: by hand).
-- Answer: 1 when the hold is new. Safe to repeat.
local scope, category, cause = ARGV[1], ARGV[2], ARGV[3]
local new = open_hold(scope, category, cause, cjson.decode(ARGV[4]), math.floor(now_us() / 1000))
redis.call('UNLINK', 'bf:strikes:' .. scope)
return new
