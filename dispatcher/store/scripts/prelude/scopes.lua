-- Put in front of every script: the scopes that a hold can have, and the end of a hold.

-- core/retry_table/rule.py names the kinds. Only the account and the provider have no name of their own.
local function scope_of(kind, name) return kind .. ':' .. name end

-- Batch and row of the scope of one job; nil for other scopes.
local function job_of(scope)
  local batch, row = string.match(scope, '^job:(%w+)%.(%d+)$')
  return batch, tonumber(row)
end

local function batch_of(scope) return string.match(scope, '^batch:(%w+)$') end

local function is_hold(hold, scope)
  if type(hold) ~= 'table' or hold.scope ~= scope or type(hold.id) ~= 'string' then return false end
  for _, name in ipairs({'since_ms', 'probe_at_ms', 'probes', 'set_ms', 'free_ms'}) do
    if hold[name] and type(hold[name]) ~= 'number' then return false end
  end
  if not hold.probes_ms then return true end
  return type(hold.probes_ms) == 'table' and type(hold.probes_ms[1]) == 'number' and hold.since_ms
    and hold.probe_at_ms and hold.probes
end

-- The hold of a scope, or nil. One that cannot be read lasts until someone releases it.
local function load_hold(scope)
  local stored = redis.call('HGET', KEY.holds, scope)
  if not stored then return nil end
  local ok, hold = pcall(cjson.decode, stored)
  if ok and is_hold(hold, scope) then return hold end
  return {id = '', scope = scope, category = 'unreadable', since_ms = 0, probe_at_ms = 0, probes = 0}
end

-- Notes that a hold begins or ends where lists of holds are read: thousands of jobs may be held one by one, so those of
-- a batch and a category are counted, and the first of them stands for all.
local function note_hold(hold, by)
  local batch, category = job_of(hold.scope), tostring(hold.category)
  if not batch then return alone(redis.call, by > 0 and 'SADD' or 'SREM', KEY['holds:wide'], hold.scope) end
  add(part_key(batch, 'held_jobs'), category, by)
  add(KEY['holds:jobs'], batch .. ' ' .. category, by)
  if by > 0 then alone(redis.call, 'HSETNX', KEY['holds:first'], batch .. ' ' .. category, cjson.encode(hold)) end
end

local function document_of(scope) return string.match(scope, '^document:(%w+)$') end

-- A hold of a document stops the batches that need it. While these are few, each one that has begun is told, and
-- whoever was told is told that it is held no more.
local function tell_held(batch, hold)
  local sha = document_of(hold.scope)
  if sha then
    if redis.call('SCARD', document_users_key(sha)) > BATCHES_TOLD then return end
    redis.call('SADD', document_told_key(sha), batch)
  end
  append_event(batch, 'batch.held', {scope = hold.scope, category = hold.category, cause = hold.cause})
end

local function tell_released(batch, hold)
  local sha = document_of(hold.scope)
  if sha and redis.call('SREM', document_told_key(sha), batch) == 0 then return end
  append_event(batch, 'batch.released', {scope = hold.scope, category = hold.category})
end

-- Producers are told of holds but those of single jobs.
local function tell_of_hold(hold)
  local sha, batch = document_of(hold.scope), batch_of(hold.scope)
  if batch then return tell_held(batch, hold) end
  if job_of(hold.scope) then return end
  append_event('', 'account.held', {scope = hold.scope, category = hold.category, cause = hold.cause})
  if not sha or redis.call('SCARD', document_users_key(sha)) > BATCHES_TOLD then return end
  for _, user in ipairs(redis.call('SMEMBERS', document_users_key(sha))) do
    if redis.call('HEXISTS', batch_key(user), 'started_ms') == 1 then tell_held(user, hold) end
  end
end

local function tell_of_release(hold)
  local sha, batch = document_of(hold.scope), batch_of(hold.scope)
  if batch then return tell_released(batch, hold) end
  if job_of(hold.scope) then return end
  append_event('', 'account.released', {scope = hold.scope, category = hold.category})
  for _, told in ipairs(sha and redis.call('SMEMBERS', document_told_key(sha)) or {}) do tell_released(told, hold) end
end

local function end_hold(scope)
  local hold = load_hold(scope)
  if not hold then return end
  redis.call('HDEL', KEY.holds, scope)
  note_hold(hold, -1)
  -- indexes that did not agree with the holds begin anew
  if redis.call('HLEN', KEY.holds) == 0 then
    redis.call('UNLINK', KEY['holds:wide'], KEY['holds:jobs'], KEY['holds:first'])
  end
  alone(tell_of_release, hold)
  if redis.call('EXISTS', stopped_batches_key(scope)) == 1 then redis.call('SADD', KEY.released, scope) end
  wake()
end

-- Scopes whose holds stop the whole batch, account and provider left out.
local function scopes_of(batch)
  local scopes = {scope_of('batch', batch)}
  for sha in string.gmatch(redis.call('HGET', batch_key(batch), 'documents') or '', '[^,]+') do
    scopes[#scopes + 1] = scope_of('document', sha)
  end
  return scopes
end

-- A batch begins, at its start or at its time. It may be held already.
local function tell_of_start(batch)
  local rows = stored_number(redis.call('HGET', batch_key(batch), 'rows'))
  append_event(batch, 'batch.started', {jobs = rows})
  for _, scope in ipairs(scopes_of(batch)) do
    local hold = load_hold(scope)
    if hold then alone(tell_held, batch, hold) end
  end
end

-- A document is needed by the batches that have not ended, and its life begins anew with each that begins or ends.
local function need_document(batch, sha)
  redis.call('SADD', document_users_key(sha), batch)
  redis.call('ZADD', KEY['documents:used'], 'XX', text(now_ms()), sha)
end

local function release_documents(batch)
  for sha in string.gmatch(redis.call('HGET', batch_key(batch), 'documents') or '', '[^,]+') do
    redis.call('SREM', document_users_key(sha), batch)
    redis.call('ZADD', KEY['documents:used'], 'XX', text(now_ms()), sha)
  end
end

-- Nothing of a batch that has ended is held any more, or counted to hold it.
local function end_holds_of(batch)
  for _, scope in ipairs(scopes_of(batch)) do
    redis.call('SREM', stopped_batches_key(scope), batch)
    local hold = document_of(scope) and load_hold(scope)
    if hold then alone(tell_released, batch, hold) end
  end
  end_hold(scope_of('batch', batch))
  redis.call('UNLINK', failure_run_key(scope_of('batch', batch)))
end
