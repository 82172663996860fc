-- take: one permit of the account's pace for a read.
-- ARGV: horizon (us), factor of a cut, time to regain it (us), share of the rate that is the reads' own.
-- Answer: {server time (us), slot (us) or -1, when to ask again (us), epoch}. A repeated call takes another permit,
-- which only wastes one.
local us, pace = now_us(), load_pace()
local slot, again = reserve_read(pace, us, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
save_pace(pace)
return {text(us), slot and text(slot) or '-1', text(again or 0), text(pace.epoch)}
