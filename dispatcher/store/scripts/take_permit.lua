-- take_permit: takes one permit of the account's pace for a read.
-- KEYS: a key of the account.
-- ARGV: options `horizon_us`, `cut` (factor of a cut of the rate), `regain_us` (time to regain it), `share` (of the
--       rate that is the reads' own).
-- Answer: {server time (us), slot (us) or -1, when to ask again (us), epoch}.
-- A repeated call takes another permit, which only wastes one.
local us, pace = now_us(), load_pace()
local slot, again = reserve_read(pace, us, OPTIONS.horizon_us, OPTIONS.cut, OPTIONS.regain_us, OPTIONS.share)
save_pace(pace)
return {text(us), slot and text(slot) or '-1', text(again or 0), text(pace.epoch)}
