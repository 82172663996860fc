-- report_end: a worker process has ended, says whoever started it. One that has its name meanwhile stays.
-- ARGV: name, instance. Answer: 1 when it was registered until now. Safe to repeat.
if parse_worker(redis.call('HGET', 'bf:workers', ARGV[1])) ~= ARGV[2] then return 0 end
return redis.call('HDEL', 'bf:workers', ARGV[1])
