-- note_answer: the provider answered a send, and no settlement says so, because news of the fax was quicker.
-- ARGV: id of the provider's hold whose probe the send was, or empty. Answer: 1. Safe to repeat.
note_answer(sends_made())
local hold = load_hold('provider')
if hold and hold.id == ARGV[1] and hold.category ~= LISTS_FAIL then end_hold('provider') end
return 1
