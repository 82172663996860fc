-- report_rollback: holds the account because Redis has lost writes, and raises the epoch, so that everything but
-- sending goes on. What has to be reconciled is kept in the hash rollback; a report that adds nothing changes nothing.
-- KEYS: a key of the account.
-- ARGV: options `seen_before` (highest epoch that was seen; 0: an attempt proves the loss), `since_ms` (writes may be
--       lost from then on as far as the caller knows; 0: it does not), `margin_ms` before that, `cause`.
-- Answer: 1 when it is a new loss, 0 when the epoch stands or the loss is known.
-- Safe to repeat.
local CATEGORY = 'record_rolled_back'
local seen, since = OPTIONS.seen_before, OPTIONS.since_ms
local now = now_ms()
local write_epoch, written = unpack(redis.call('HMGET', KEY.epoch, 'write_epoch', 'written_ms'))
write_epoch, written = tonumber(write_epoch or 0), tonumber(written or now)
if since == 0 or since > written then since = written end
since = math.max(0, since - OPTIONS.margin_ms)

local noticed, resumed, known_since = unpack(redis.call('HMGET', KEY.rollback, 'noticed_ms', 'resumed_ms', 'since_ms'))
local is_open = noticed and not resumed
if is_open then since = math.min(since, tonumber(known_since)) end

-- Whatever held the account before gives way: what has to be mended there shows itself again.
local function hold_account()
  local held = load_hold('account')
  if held and held.category == CATEGORY then return end
  end_hold('account')
  open_hold('rollback-' .. text(now), 'account', CATEGORY, OPTIONS.cause, {}, now)
end

if seen > 0 and write_epoch >= seen then return 0 end
hold_account()
if seen == 0 and is_open then
  if since < tonumber(known_since) then
    redis.call('HSET', KEY.rollback, 'since_ms', text(since))
    redis.call('HDEL', KEY.rollback, 'reconciled_ms', 'listed_ms')
  end
  return 0
end
local raised = math.max(write_epoch, seen) + 1
redis.call('HSET', KEY.epoch, 'write_epoch', text(raised), 'raised_to', text(raised), 'written_ms', text(now))
redis.call('HDEL', KEY.rollback, 'accepted_ms', 'reconciled_ms', 'resumed_ms', 'listed_ms')
redis.call('HSET', KEY.rollback, 'noticed_ms', text(now), 'since_ms', text(since), 'cause', OPTIONS.cause,
  'found_epoch', text(write_epoch), 'seen_epoch', text(seen))
if not is_open then
  redis.call('UNLINK', KEY['rollback:unknown'])
  local adopted, twice = unpack(redis.call('HMGET', KEY.totals, 'lost_writes|adopted', 'lost_writes|accepted_twice'))
  redis.call('HSET', KEY.rollback, 'adopted_before', adopted or '0', 'twice_before', twice or '0')
end
return 1
