-- count_failure: counts one more failure of a scope that is held after several of them in a row: with no success
-- between them (settle), and none so long ago that it says nothing of the others. The hold that follows ends the count.
-- KEYS: a key of the account.
-- ARGV: options `scope`, `hold_after` (failures that hold it), `attempt` (<job>/<attempt>), `within_ms` (time within
--       which the failures lie), `batch` and `tag` (of the definition that the failure came from; empty: of none).
--       What the batch does not send any more counts no more.
-- Answer: 1 when the scope shall be held.
-- Safe to repeat: an attempt counts once.
local key, hold_after, within_ms = failure_run_key(OPTIONS.scope), OPTIONS.hold_after, OPTIONS.within_ms
local now = now_ms()
if OPTIONS.batch ~= '' and versions.is_changed(OPTIONS.batch, OPTIONS.tag) then return 0 end
redis.call('ZADD', key, 'NX', text(now), OPTIONS.attempt)
redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now - within_ms))
redis.call('ZREMRANGEBYRANK', key, 0, -hold_after - 1)
redis.call('PEXPIRE', key, text(within_ms + CLEAN_UP_MS))
return redis.call('ZCARD', key) >= hold_after and 1 or 0
