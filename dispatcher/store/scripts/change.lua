-- change: changes the definition of a batch that has not ended, by compare-and-set on its text.
-- KEYS: a key of the account.
-- ARGV: options `batch`, `version` and `tag` (of the new definition, if what is sent changes; else 0 and empty),
--       `of_draft` (it was checked as a change of a draft), `before_start` (only a draft can get it), `ended`
--       (categories of holds of the batch that end by the change), `documents_change` and `documents` (all that are
--       sent from now on), `deadline_changes` and `deadline_ms` (0: none), `is_dry_run` (nothing is changed);
--       `content` (digest of what is sent from now on, if the batch was started and that changes; else empty),
--       `life_ms`, `last`, `until_ms` (prelude/starts.lua); then the text of the definition as it was read, the text
--       as it shall be, the sketch of the batch's numbers, and field and value of its hash, field and value, ...
-- Answer: {a ChangeRefusal or empty, jobs that are being sent, jobs accepted without a result, scopes of ended
-- holds...}. Jobs that are leased with the definition of before are refused by `begin`; none of them is touched here.
-- Safe to repeat: a definition that is stored already is not changed again.
local batch, is_dry_run = OPTIONS.batch, OPTIONS.is_dry_run
local key, now = batch_key(batch), now_ms()
local before, after, sketch = ARGV[2], ARGV[3], ARGV[4]
local makes_version = OPTIONS.version > 0
local control, stored, finished, class, documents, cursor, starts = unpack(redis.call('HMGET', key,
  'control', 'definition', 'finished_ms', 'class', 'documents', 'cursor', 'version_starts'))

local function answer(refusal, ended)
  local sums, counts = {[SENDING] = 0, [ACCEPTED] = 0}, redis.call('HGETALL', part_key(batch, 'counts'))
  for i = 1, #counts, 2 do
    local state = tonumber(string.match(counts[i], '^(%d+):'))
    if sums[state] then sums[state] = sums[state] + stored_number(counts[i + 1]) end
  end
  return {refusal, sums[SENDING], sums[ACCEPTED], unpack(ended or {})}
end

local function is_held()
  for _, scope in ipairs({'account', 'provider', unpack(scopes_of(batch))}) do
    if redis.call('HEXISTS', KEY.holds, scope) == 1 then return true end
  end
  return false
end

local function refusal()
  if OPTIONS.of_draft ~= (control == 'draft') then return 'changed' end
  if ENDING[control] or finished then return 'ended' end
  if not OPTIONS.of_draft and OPTIONS.before_start then return 'started' end
  if control == 'running' and makes_version and not is_held() then return 'running' end
  if OPTIONS.deadline_changes and OPTIONS.deadline_ms > 0 and OPTIONS.deadline_ms <= now then return 'late' end
  for _, sha in ipairs(OPTIONS.documents) do
    if redis.call('HEXISTS', KEY.documents, sha) == 0 then return 'no_document' end
  end
  if OPTIONS.version > MAX_VERSIONS then return 'too_often' end
  if OPTIONS.content ~= '' and not is_last_start() then return 'changed' end
  return ''
end

if not control or control == 'deleting' or not stored then return answer('changed') end
if stored == after then return answer('') end
if stored ~= before then return answer('changed') end
local refused = refusal()
if refused ~= '' then return answer(refused) end

local needed = {}
for _, sha in ipairs(OPTIONS.documents) do needed[sha] = true end
-- documents that the batch needs no more; the hold of one that no other batch needs ends
local left, ended = {}, {}
for sha in string.gmatch(OPTIONS.documents_change and documents or '', '[^,]+') do
  if not needed[sha] then left[#left + 1] = sha end
end
for _, sha in ipairs(left) do
  local scope, users = scope_of('document', sha), document_users_key(sha)
  local others = redis.call('SCARD', users) - redis.call('SISMEMBER', users, batch)
  if others == 0 and redis.call('HEXISTS', KEY.holds, scope) == 1 then ended[#ended + 1] = scope end
end
local own = load_hold(scope_of('batch', batch))
for _, category in ipairs(own and OPTIONS.ended or {}) do
  if own.category == category then ended[#ended + 1] = own.scope end
end
if is_dry_run then return answer('', ended) end

redis.call('HSET', key, 'definition', after, unpack(ARGV, 5))
if makes_version then
  redis.call('HSET', key, 'version', text(OPTIONS.version), 'definition_tag', OPTIONS.tag,
    'version_starts', versions.with_start(starts, OPTIONS.version, stored_number(cursor)))
  redis.call('UNLINK', failure_run_key(scope_of('batch', batch)))
end
local has_begun = redis.call('HEXISTS', key, 'started_ms') == 1
local function hold_of(sha) return has_begun and load_hold(scope_of('document', sha)) end
for sha in pairs(needed) do
  need_document(batch, sha)
  local is_new = not string.find(',' .. documents .. ',', ',' .. sha .. ',', 1, true)
  local hold = is_new and hold_of(sha)
  if hold then alone(tell_held, batch, hold) end
end
for _, sha in ipairs(left) do
  local hold = hold_of(sha)
  if hold then alone(tell_released, batch, hold) end
  redis.call('SREM', document_users_key(sha), batch)
  redis.call('ZADD', KEY['documents:used'], 'XX', text(now), sha)
  redis.call('SREM', stopped_batches_key(scope_of('document', sha)), batch)
end
for _, scope in ipairs(ended) do end_hold(scope) end
if OPTIONS.deadline_changes and control ~= 'draft' then
  if OPTIONS.deadline_ms > 0 then
    redis.call('ZADD', KEY.deadlines, text(OPTIONS.deadline_ms), batch)
    wake()
  else
    redis.call('ZREM', KEY.deadlines, batch)
  end
end
if OPTIONS.content ~= '' then record_start(batch, sketch, now) end
-- in the other class it stands where one stands that begins now
if redis.call('HGET', key, 'class') ~= class then
  redis.call('ZREM', active_key(class), batch)
  redis.call('HSET', key, 'vtime', 0)
end
if control == 'draft' then draft_changed(batch) end
-- it may have work again: nothing holds it any more, or its own rate is another
if control == 'running' then lower_timer(batch, now) end
return answer('', ended)
