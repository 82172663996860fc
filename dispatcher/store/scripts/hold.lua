-- hold: stops sending for a scope. A scope that is held already keeps its beginning and its probe time; nothing is held
-- that has ended. A job that is held waits without a time.
-- ARGV: scope, category, cause, times to the first probe and between probes (JSON list, ms; empty: by hand), id of the
--       hold.
-- Answer: 1 when the hold is new. Safe to repeat.
local scope, category, cause = ARGV[1], ARGV[2], ARGV[3]
local new = open_hold(ARGV[5], scope, category, cause, cjson.decode(ARGV[4]), now_ms())
local batch, row = string.match(scope, '^job:(%w+)%.(%d+)$')
if new == 1 and batch then redis.call('ZADD', part_key(batch, 'due'), 'XX', text(NEVER), row) end
redis.call('UNLINK', 'bf:strikes:' .. scope)
return new
