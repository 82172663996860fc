-- resume: a step towards the end of the hold record_rolled_back, which ends when an operator has accepted the loss and
-- the provider's faxes of that time were read.
-- KEYS: a key of the account.
-- ARGV: option `step`: `accepted`; or `listed`, with options `noticed_ms` and `since_ms` (the loss as the reader knows
--       it), `until_ms` (faxes were listed up to then), `all_listed`.
-- Answer: a Resumed: open, resumed, or none when nothing of the kind is held.
-- Safe to repeat.
local now = text(now_us() / US_PER_MS)
local noticed, since, resumed = unpack(redis.call('HMGET', KEY.rollback, 'noticed_ms', 'since_ms', 'resumed_ms'))
if not noticed or resumed then return 'none' end
if OPTIONS.step == 'accepted' then
  redis.call('HSETNX', KEY.rollback, 'accepted_ms', now)
elseif noticed == text(OPTIONS.noticed_ms) and since == text(OPTIONS.since_ms) then
  redis.call('HSET', KEY.rollback, 'listed_ms', text(OPTIONS.until_ms))
  if OPTIONS.all_listed then redis.call('HSETNX', KEY.rollback, 'reconciled_ms', now) end
end
local accepted, reconciled = unpack(redis.call('HMGET', KEY.rollback, 'accepted_ms', 'reconciled_ms'))
if not (accepted and reconciled) then return 'open' end
redis.call('HSET', KEY.rollback, 'resumed_ms', now)
wake()
local held = load_hold('account')
if held and held.category == 'record_rolled_back' then end_hold('account') end
return 'resumed'
