-- beat: a worker process that has nothing else to say lives.
-- ARGV: name, instance, calls that it has room for.
-- Answer: 1, or 0 when another process has registered under its name. Safe to repeat.
return renew(ARGV[1], ARGV[2], ARGV[3]) and 1 or 0
