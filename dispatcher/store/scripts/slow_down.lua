-- slow_down: the provider answered 429 (or 503 with a time). Cuts the shared rate once per epoch.
-- ARGV: epoch of the permit that was refused, wait named by the provider (us) or -1, first back-off (us), longest
--       back-off (us), chance in [0, 1), factor of the cut, from the first permit after it to the second (us).
-- Answer: {blocked until (us), epoch}. Safe to repeat: the second call carries an old epoch.
local epoch, wait_us, cut = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[6])
local us, pace = now_us(), load_pace()
bound_wait(pace, us)
if wait_us < 0 then
  if epoch ~= pace.epoch then return {text(pace.blocked_until_us), text(pace.epoch)} end
  wait_us = math.min(tonumber(ARGV[4]), tonumber(ARGV[3]) * 2 ^ math.min(pace.refusals, 30)) * tonumber(ARGV[5])
end
pace.blocked_until_us = math.max(pace.blocked_until_us, us + math.min(math.floor(wait_us), LONGEST_WAIT_US))
pace.refused_us = us
if epoch == pace.epoch then
  pace.peak, pace.rate = pace.rate, math.max(math.min(SLOWEST, pace.ceiling), pace.rate * cut)
  pace.epoch, pace.refusals = pace.epoch + 1, pace.refusals + 1
  pace.probe_gap_us = tonumber(ARGV[7])
  pace.cut_us, pace.tat_us = pace.blocked_until_us, math.max(pace.tat_us, pace.blocked_until_us)
end
save_pace(pace)
return {text(pace.blocked_until_us), text(pace.epoch)}
