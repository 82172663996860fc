-- resume: a step towards the end of the hold record_rolled_back, which ends when an operator has accepted the loss and
-- the provider's faxes of that time were read.
-- ARGV: accepted; or listed, when the loss was noticed and since when writes are lost as the reader knows them (ms), until
--       when faxes were listed (ms), 1 when that is all of them.
-- Answer: open, resumed, or none when nothing of the kind is held. Safe to repeat.
local step, now = ARGV[1], text(now_us() / 1000)
local noticed, since, resumed = unpack(redis.call('HMGET', 'bf:rollback', 'noticed_ms', 'since_ms', 'resumed_ms'))
if not noticed or resumed then return 'none' end
if step == 'accepted' then
  redis.call('HSETNX', 'bf:rollback', 'accepted_ms', now)
elseif noticed == ARGV[2] and since == ARGV[3] then
  redis.call('HSET', 'bf:rollback', 'listed_ms', ARGV[4])
  if ARGV[5] == '1' then redis.call('HSETNX', 'bf:rollback', 'reconciled_ms', now) end
end
local accepted, reconciled = unpack(redis.call('HMGET', 'bf:rollback', 'accepted_ms', 'reconciled_ms'))
if not (accepted and reconciled) then return 'open' end
redis.call('HSET', 'bf:rollback', 'resumed_ms', now)
wake()
local held = load_hold('account')
if held and held.category == 'record_rolled_back' then end_hold('account') end
return 'resumed'
