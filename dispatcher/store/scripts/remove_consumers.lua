-- remove_consumers: removes the consumers of the inbox that have ended and left no event behind. Each worker process
-- has a name of its own, so that they would gather for ever.
-- KEYS: a key of the account.
-- ARGV: options `group`, `ended_ms` (time without a question after which a consumer has ended).
-- Answer: how many were removed.
-- Safe to repeat.
local removed = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEY.inbox, OPTIONS.group)) do
  local facts = {}
  for i = 1, #consumer, 2 do facts[consumer[i]] = consumer[i + 1] end
  if facts.pending == 0 and facts.idle >= OPTIONS.ended_ms then
    redis.call('XGROUP', 'DELCONSUMER', KEY.inbox, OPTIONS.group, facts.name)
    removed = removed + 1
  end
end
return removed
