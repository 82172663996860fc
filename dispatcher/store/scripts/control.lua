-- control: starts, pauses, resumes, cancels, expires or deletes a batch, by compare-and-set on its control.
-- KEYS: a key of the account.
-- ARGV: options `batch`, `expected` and `new` (its control), `unchanged_ms` (0, or how long the batch must have been an
--       unchanged draft, or must have ended before it is deleted: any other is left as it is), `overdue` (only if its
--       deadline has passed), `at_once` (it does not wait for its start time any more, not after a pause either);
--       for the start of a draft `quota` (how many jobs may begin before `continue`; 0: all),
--       `content` (digest of what it sends; empty: the start is not recorded), `life_ms`, `last`, `until_ms`
--       (prelude/starts.lua), `tag`, `hashes` and `reruns_started` (of the definition, the bytes of the draft's
--       hashes, and the number of started reruns of its parents, that it was compared with), `event_rules` (JSON: at
--       which shares producers are told; empty: at none); then the sketch of its numbers.
-- Answer: {control now, jobs that are being sent, why it was refused or empty}. `ended`: all jobs are final, so that
-- nothing can be paused, cancelled or expired any more. `live`: what is to be deleted has not ended, or not long
-- enough ago. `late`: the deadline has passed before the batch runs. `not_allowed`: it is no draft that has not changed
-- for so long, or its deadline was put off. `changed`: the draft has got recipients or another content, or another
-- batch of the content was started, since the draft was compared. Running becomes scheduled while the start time is
-- not reached. The script touches no rows: unstarted rows of an ended batch take their state from the batch, its
-- waiting jobs become final in steps (finalize), attempts in flight run out.
-- Safe to repeat.
local batch, expected, new = OPTIONS.batch, OPTIONS.expected, OPTIONS.new
local key, counts = batch_key(batch), part_key(batch, 'counts')
local now = now_ms()
local control = redis.call('HGET', key, 'control')

local function hash_of(name)
  local fields, all = {}, redis.call('HGETALL', name)
  for i = 1, #all, 2 do fields[all[i]] = all[i + 1] end
  return fields
end

local function in_flight()
  local sum = 0
  for field, jobs in pairs(hash_of(counts)) do
    if string.match(field, '^' .. SENDING .. ':') then sum = sum + jobs end
  end
  return sum
end

if OPTIONS.unchanged_ms > 0 and new ~= 'deleting' then
  -- a batch that is gone or damaged is no draft that anybody could end
  if control ~= 'draft' then redis.call('ZREM', KEY.drafts, batch) end
  local changed = tonumber(control == 'draft' and redis.call('ZSCORE', KEY.drafts, batch) or math.huge)
  if changed + OPTIONS.unchanged_ms > now then return {control or '', in_flight(), 'not_allowed'} end
end
if control ~= expected or control == new then return {control or '', in_flight(), ''} end

-- From here on it is gone for everybody. Its keys are removed in steps (remove_rows); its id is known for some time,
-- and so is what it has sent, while that is compared with new mailings.
local function delete()
  local finished, class = unpack(redis.call('HMGET', key, 'finished_ms', 'class'))
  if not finished or stored_number(finished, math.huge) + OPTIONS.unchanged_ms > now then return 'live' end
  for field, jobs in pairs(hash_of(counts)) do
    add_total('jobs|' .. string.match(field, '^%d+'), -stored_number(jobs))
  end
  for _, index in ipairs({KEY.batches, KEY.drafts, KEY.timers, KEY.deadlines, active_key(class or '')}) do
    redis.call('ZREM', index, batch)
  end
  redis.call('SREM', KEY.draining, batch)
  end_holds_of(batch)
  local has_sent = stored_number(redis.call('HGET', key, 'attempts')) > 0
  local sketch = part_key(batch, 'hashes')
  if has_sent and redis.call('EXISTS', sketch) == 1 then redis.call('RENAME', sketch, sent_sketch_key(batch)) end
  redis.call('ZADD', KEY.deleting, text(now), batch)
  redis.call('ZADD', KEY.deleted, text(now + DELETED_KNOWN_MS), batch)
  redis.call('HSET', key, 'control', new)
  return ''
end
if new == 'deleting' then
  local refused = delete()
  return {refused == '' and new or control, in_flight(), refused}
end

local deadline = tonumber(redis.call('HGET', key, 'deadline_ms'))
if redis.call('HEXISTS', key, 'finished_ms') == 1 then
  redis.call('ZREM', KEY.deadlines, batch)
  if new ~= 'running' then return {control, in_flight(), 'ended'} end
elseif new == 'running' and deadline > 0 and deadline <= now then
  return {control, in_flight(), 'late'}
elseif OPTIONS.overdue and not (deadline > 0 and deadline <= now) then
  return {control, in_flight(), 'not_allowed'}
end

-- A start is recorded in the script that carries it out: of two at the same time, one is refused and sees the other.
local parents, reruns_started = redis.call('HGET', key, 'parents') or '', 0
for parent in string.gmatch(parents, '%w+') do
  reruns_started = reruns_started + stored_number(redis.call('HGET', batch_key(parent), 'reruns_started'))
end
local recorded = new == 'running' and control == 'draft' and OPTIONS.content ~= ''
local hashes = part_key(batch, 'hashes')
if recorded then
  local compared = is_last_start() and reruns_started == OPTIONS.reruns_started
    and redis.call('STRLEN', hashes) == OPTIONS.hashes
    and (redis.call('HGET', key, 'definition_tag') or '') == OPTIONS.tag
  if not compared then return {control, in_flight(), 'changed'} end
end
local function note_start(start_at)
  for parent in string.gmatch(parents, '%w+') do
    local above = batch_key(parent)
    if redis.call('EXISTS', above) == 1 then redis.call('HINCRBY', above, 'reruns_started', 1) end
  end
  record_start(batch, ARGV[2], start_at)
end

local class, begins = redis.call('HGET', key, 'class'), false
local function leave_active()
  local vtime = redis.call('ZSCORE', active_key(class), batch)
  if vtime then redis.call('HSET', key, 'vtime', vtime) end
  redis.call('ZREM', active_key(class), batch)
  redis.call('ZREM', KEY.timers, batch)
end

if new == 'running' then
  if OPTIONS.at_once then redis.call('HSET', key, 'start_at_ms', 0) end
  local start_at = tonumber(redis.call('HGET', key, 'start_at_ms'))
  if start_at > now then
    new = 'scheduled'
  else
    begins = redis.call('HSETNX', key, 'started_ms', text(now)) == 1
    redis.call('HSET', key, 'running_ms', text(now))
  end
  if control == 'draft' and OPTIONS.event_rules ~= '' then
    redis.call('HSET', key, 'event_rules', OPTIONS.event_rules, 'look_at', 1)
  end
  redis.call('UNLINK', part_key(batch, 'seen'), part_key(batch, 'selection'))
  if control == 'draft' and OPTIONS.quota > 0 then
    -- the quota is used up as jobs begin; a repeat of the start is compared with what it was
    redis.call('HSET', key, 'quota', text(OPTIONS.quota), 'started_first', text(OPTIONS.quota))
  end
  if recorded then note_start(start_at) elseif control == 'draft' then redis.call('UNLINK', hashes) end
  if deadline > 0 and redis.call('HEXISTS', key, 'finished_ms') == 0 then
    redis.call('ZADD', KEY.deadlines, text(deadline), batch)
  end
  -- what may begin at once is due whatever the clock shows: it may be set back before anybody looks
  redis.call('ZADD', KEY.timers, text(start_at > now and start_at or 0), batch)
  wake()
elseif new == 'paused' then
  leave_active()
else
  leave_active()
  redis.call('ZREM', KEY.deadlines, batch)
  end_holds_of(batch)
  redis.call('UNLINK', part_key(batch, 'seen'), part_key(batch, 'selection'))
  if control == 'draft' then redis.call('UNLINK', hashes) end
  local unstarted = tonumber(redis.call('HGET', key, 'unstarted'))
  local final = ENDING[new] .. ':0:0'
  if unstarted > 0 then
    add(counts, WAITING .. ':0:0', -unstarted)
    add(counts, final, unstarted)
    move_jobs(WAITING, ENDING[new], unstarted)
    add_total('final|' .. final, unstarted)
    add(key, 'finals', unstarted)
    redis.call('HSET', key, 'unstarted', 0)
  end
  ended[batch] = true
  if redis.call('ZCARD', part_key(batch, 'due')) > 0 or redis.call('EXISTS', part_key(batch, 'parked')) == 1 then
    redis.call('SADD', KEY.draining, batch)
    wake()
  end
end
if control == 'draft' then
  redis.call('ZREM', KEY.drafts, batch)
  -- a rerun that sent nothing is none
  for parent in string.gmatch(ENDING[new] and parents or '', '%w+') do
    redis.call('ZREM', part_key(parent, 'reruns'), batch)
  end
  if new == 'expired' then
    redis.call('HSET', key, 'draft_ended_ms', text(now))
    add_total('drafts_ended', 1)
  end
end
redis.call('HSET', key, 'control', new)
if begins then tell_of_start(batch) end
return {new, in_flight(), ''}
