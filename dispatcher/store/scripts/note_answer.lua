-- note_answer: the provider answered a send, and no settlement says so, because news of the fax was quicker.
-- KEYS: a key of the account.
-- ARGV: option `hold_id`, the hold of the provider whose probe the send was, or empty.
-- Answer: 1.
-- Safe to repeat.
note_answer(sends_made())
local hold = load_hold('provider')
if hold and hold.id == OPTIONS.hold_id and hold.category ~= LISTS_FAIL then end_hold('provider') end
return 1
