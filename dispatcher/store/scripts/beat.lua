-- beat: a heartbeat of a worker process that runs no other script.
-- KEYS: a key of the account.
-- ARGV: options `name`, `instance`, `room` (calls that the process could begin).
-- Answer: 1, or 0 when another process has registered under its name.
-- Safe to repeat.
return renew(OPTIONS.name, OPTIONS.instance, OPTIONS.room) and 1 or 0
