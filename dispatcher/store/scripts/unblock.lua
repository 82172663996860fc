-- unblock: an operator ends the wait that the provider asked for (429, or 503 with a time).
-- KEYS: a key of the account.
-- ARGV: no options.
-- Answer: 1 when there was one.
-- Safe to repeat.
local pace = load_pace()
local ended = unblock(pace, now_us())
save_pace(pace)
return ended and 1 or 0
