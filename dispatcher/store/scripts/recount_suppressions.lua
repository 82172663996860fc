-- recount_suppressions: replaces the counts of the do-not-fax list by those of a scan, if nothing has changed since.
-- KEYS: a key of the account.
-- ARGV: options `before` and `after`: the counts as they were, and as they shall be, by source.
-- Answer: 1 when they were replaced, 0 when entries have changed in the meantime.
-- Safe to repeat: a second call finds other counts than it expects and changes nothing.
for source, entries in pairs(OPTIONS.before) do
  local field = 'suppressions|' .. source
  if stored_number(redis.call('HGET', KEY.totals, field)) ~= entries then return 0 end
end
for source, entries in pairs(OPTIONS.after) do
  redis.call('HSET', KEY.totals, 'suppressions|' .. source, text(entries))
end
return 1
