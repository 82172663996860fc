-- continue: lets the rest of a batch begin of which only a part was started.
-- KEYS: a key of the account.
-- ARGV: option `batch`.
-- Answer: {control of the batch (empty: there is none), how many jobs that are, jobs that are being sent}.
-- Safe to repeat: what was started as a whole stays so.
local key, now = batch_key(OPTIONS.batch), now_ms()
local control, unstarted, quota = unpack(redis.call('HMGET', key, 'control', 'unstarted', 'quota'))
if not control or not quota or control == 'draft' or ENDING[control] then return {control or '', 0} end
redis.call('HDEL', key, 'quota')
if control == 'running' then lower_timer(OPTIONS.batch, now) end
return {control, math.max(0, stored_number(unstarted) - math.max(0, stored_number(quota)))}
