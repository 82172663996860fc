-- register: a worker process starts. A process that had its name before has ended.
-- KEYS: a key of the account.
-- ARGV: options `name`, `instance`, `room` (calls that it could begin).
-- Answer: 1.
-- Safe to repeat.
local now = now_ms()
local clock = registry_clock(redis.call('HGET', KEY.workers, CLOCK), now)
redis.call('HSET', KEY.workers, CLOCK, clock_text(clock, now), OPTIONS.name,
  worker_text(OPTIONS.instance, clock, OPTIONS.room))
wake()
return 1
