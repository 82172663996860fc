-- report_end: a worker process has ended, says whoever started it. Another that has its name meanwhile stays.
-- ARGV: name, instance (empty: whoever has the name). Answer: 1 when it was registered until now. Safe to repeat.
local name, instance = ARGV[1], ARGV[2]
if instance ~= '' and parse_worker(redis.call('HGET', 'bf:workers', name)) ~= instance then return 0 end
local known = remove_worker(name)
if known == 1 then wake() end
return known
