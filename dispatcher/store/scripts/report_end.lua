-- report_end: a worker process has ended, says the process that started it. One that has its name meanwhile stays.
-- KEYS: a key of the account.
-- ARGV: options `name`, `instance` (empty: whichever has the name).
-- Answer: 1 when it was registered until now.
-- Safe to repeat.
local name, instance = OPTIONS.name, OPTIONS.instance
if instance ~= '' and parse_worker(redis.call('HGET', KEY.workers, name)) ~= instance then return 0 end
local known = remove_worker(name)
if known == 1 then wake() end
return known
