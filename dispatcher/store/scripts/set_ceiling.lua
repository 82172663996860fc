-- set_ceiling: the account's limit. Settings give it at every start; a change while running stands above them.
-- ARGV: faxes per second, `settings` or `operator`. Answer: the ceiling in force. Safe to repeat.
local pace, ceiling = load_pace(), tonumber(ARGV[1])
if ARGV[2] == 'settings' and redis.call('HEXISTS', 'bf:limiter', 'operator') == 1 then return string.format('%.17g', pace.ceiling) end
if ARGV[2] == 'operator' then redis.call('HSET', 'bf:limiter', 'operator', 1) end
pace.rate = (pace.rate >= pace.ceiling) and ceiling or math.min(pace.rate, ceiling)
pace.ceiling = ceiling
save_pace(pace)
return string.format('%.17g', ceiling)
