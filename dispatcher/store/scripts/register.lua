-- register: a worker process starts. Whoever had its name has ended.
-- ARGV: name, instance, calls that it has room for. Answer: 1. Safe to repeat.
local name, instance, room = ARGV[1], ARGV[2], ARGV[3]
local now = now_ms()
local clock = registry_clock(redis.call('HGET', 'bf:workers', CLOCK), now)
redis.call('HSET', 'bf:workers', CLOCK, clock_text(clock, now), name, instance .. ' ' .. text(clock) .. ' ' .. room)
wake()
return 1
