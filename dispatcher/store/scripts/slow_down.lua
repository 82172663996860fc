-- slow_down: the provider answered 429 (or 503 with a time). Cuts the shared rate once per epoch.
-- KEYS: a key of the account.
-- ARGV: options `epoch` (of the permit that was refused), `wait_us` (named by the provider, or -1), `first_us` and
--       `longest_us` (first and longest back-off), `chance` in [0, 1), `cut` (factor of the cut), `probe_gap_us` (from
--       the first permit after it to the second).
-- Answer: {blocked until (us), epoch}.
-- Safe to repeat: the second call carries an old epoch.
local epoch, wait_us = OPTIONS.epoch, OPTIONS.wait_us
local us, pace = now_us(), load_pace()
bound_wait(pace, us)
if wait_us < 0 then
  if epoch ~= pace.epoch then return {text(pace.blocked_until_us), text(pace.epoch)} end
  wait_us = math.min(OPTIONS.longest_us, OPTIONS.first_us * 2 ^ math.min(pace.refusals, 30)) * OPTIONS.chance
end
pace.blocked_until_us = math.max(pace.blocked_until_us, us + math.min(math.floor(wait_us), LONGEST_WAIT_US))
pace.refused_us = us
if epoch == pace.epoch then
  pace.peak, pace.rate = pace.rate, math.max(math.min(SLOWEST, pace.ceiling), pace.rate * OPTIONS.cut)
  pace.epoch, pace.refusals = pace.epoch + 1, pace.refusals + 1
  pace.probe_gap_us = OPTIONS.probe_gap_us
  pace.cut_us, pace.tat_us = pace.blocked_until_us, math.max(pace.tat_us, pace.blocked_until_us)
end
save_pace(pace)
return {text(pace.blocked_until_us), text(pace.epoch)}
