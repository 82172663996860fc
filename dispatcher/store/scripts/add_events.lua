-- add_events: stores callbacks in the inbox, all or none of them.
-- KEYS: a key of the account.
-- ARGV: option `max_events`, the most that the inbox holds; then the events.
-- Answer: their ids, or an empty list when the inbox is full.
-- Safe to repeat: an event that comes again changes nothing.
local ids, depth = {}, redis.call('XLEN', KEY.inbox)
if depth + #ARGV - 1 > OPTIONS.max_events then return ids end
if depth == 0 then wake() end -- as long as it is not empty the schedulers look by themselves
for i = 2, #ARGV do ids[i - 1] = redis.call('XADD', KEY.inbox, '*', 'event', ARGV[i]) end
return ids
