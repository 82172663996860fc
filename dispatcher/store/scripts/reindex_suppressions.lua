-- reindex_suppressions: makes the indexes of the do-not-fax list say what its entries say.
-- KEYS: a key of the account.
-- ARGV: then the digits of up to 100 numbers.
-- Answer: 1.
-- Safe to repeat.
for i = 2, #ARGV do
  local digits = ARGV[i]
  local entry = load_suppression(digits)
  if entry then redis.call('ZADD', KEY['suppressions:numbers'], 0, digits) end
  if not entry then redis.call('ZREM', KEY['suppressions:numbers'], digits) end
  if entry and entry.expires_ms then
    redis.call('ZADD', KEY['suppressions:ends'], text(forget_at(entry)), digits)
  else
    redis.call('ZREM', KEY['suppressions:ends'], digits)
  end
end
return 1
