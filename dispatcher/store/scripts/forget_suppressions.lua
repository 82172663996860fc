-- forget_suppressions: removes entries of the do-not-fax list that have expired, those of dead numbers a year later.
-- KEYS: a key of the account.
-- ARGV: option `max_entries`.
-- Answer: how many were removed.
-- Safe to repeat.
local ended = redis.call('ZRANGEBYSCORE', KEY['suppressions:ends'], '-inf', text(now_ms()), 'LIMIT', 0,
  OPTIONS.max_entries)
for _, digits in ipairs(ended) do remove_suppression(digits) end
return #ended
