-- report_rollback: holds the account because Redis has lost writes, and raises the epoch, so that everything but sending
-- goes on. What has to be reconciled is kept in the hash bf:rollback; a report that adds nothing changes nothing.
-- ARGV: highest epoch that was seen, or 0 when an attempt proves the loss; time since which writes may be lost as far as
--       the caller knows (ms, 0: it does not), margin before it (ms), cause.
-- Answer: 1 when it is a new loss, 0 when the epoch stands or the loss is known. Safe to repeat.
local CATEGORY = 'record_rolled_back'
local seen, since, margin, cause = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local now = now_ms()
local write_epoch, written = unpack(redis.call('HMGET', 'bf:epoch', 'write_epoch', 'written_ms'))
write_epoch, written = tonumber(write_epoch or 0), tonumber(written or now)
if since == 0 or since > written then since = written end
since = math.max(0, since - margin)

local noticed, resumed, known_since = unpack(redis.call('HMGET', 'bf:rollback', 'noticed_ms', 'resumed_ms', 'since_ms'))
local is_open = noticed and not resumed
if is_open then since = math.min(since, tonumber(known_since)) end

-- Whatever held the account before gives way: what has to be mended there shows itself again.
local function hold_account()
  local held = load_hold('account')
  if held and held.category == CATEGORY then return end
  end_hold('account')
  open_hold('rollback-' .. text(now), 'account', CATEGORY, cause, {}, now)
end

if seen > 0 and write_epoch >= seen then return 0 end
hold_account()
if seen == 0 and is_open then
  if since < tonumber(known_since) then
    redis.call('HSET', 'bf:rollback', 'since_ms', text(since))
    redis.call('HDEL', 'bf:rollback', 'reconciled_ms', 'listed_ms')
  end
  return 0
end
local raised = math.max(write_epoch, seen) + 1
redis.call('HSET', 'bf:epoch', 'write_epoch', text(raised), 'raised_to', text(raised), 'written_ms', text(now))
redis.call('HDEL', 'bf:rollback', 'accepted_ms', 'reconciled_ms', 'resumed_ms', 'listed_ms')
redis.call('HSET', 'bf:rollback', 'noticed_ms', text(now), 'since_ms', text(since), 'cause', cause, 'found_epoch',
  text(write_epoch), 'seen_epoch', text(seen))
if not is_open then
  redis.call('UNLINK', 'bf:rollback:unknown')
  redis.call('HSET', 'bf:rollback', 'adopted_before', text(total('lost_writes|adopted')), 'twice_before',
    text(total('lost_writes|accepted_twice')))
end
return 1
