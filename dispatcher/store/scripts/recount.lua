-- recount: replaces the counts of a batch by those of a scan, if nothing has moved since the scan began.
-- KEYS: a key of the account.
-- ARGV: options `batch`, `before` and `after`: the counts as they were, and as they shall be, by field of the hash;
--       `waits_before` and `waits_after`: the same of jobs that wait after a failure (waiting.lua).
-- Answer: 1 when they were replaced, 0 when jobs have moved in the meantime. A batch whose jobs are all final has ended
-- by it, and one that was taken for ended goes on.
-- Safe to repeat: a second call finds other counts than it expects and changes nothing.
local batch = OPTIONS.batch
local counts, waits = part_key(batch, 'counts'), part_key(batch, 'waits')

local function is_unchanged(key, before)
  local fields = 0
  for field, jobs in pairs(before) do
    if redis.call('HGET', key, field) ~= text(jobs) then return false end
    fields = fields + 1
  end
  return redis.call('HLEN', key) == fields
end

local function replace(key, after)
  redis.call('DEL', key)
  for field, jobs in pairs(after) do redis.call('HSET', key, field, text(jobs)) end
end

if not (is_unchanged(counts, OPTIONS.before) and is_unchanged(waits, OPTIONS.waits_before)) then return 0 end
replace(counts, OPTIONS.after)
replace(waits, OPTIONS.waits_after)
local rows, finals = 0, 0
for field, jobs in pairs(OPTIONS.after) do
  rows = rows + jobs
  if tonumber(string.match(field, '^%d+')) >= FINAL then finals = finals + jobs end
end
local key = batch_key(batch)
redis.call('HSET', key, 'rows', text(rows), 'finals', text(finals))
local control, deadline = unpack(redis.call('HMGET', key, 'control', 'deadline_ms'))
if control == 'draft' then return 1 end
if finals < rows and redis.call('HDEL', key, 'finished_ms') == 1 and tonumber(deadline) > 0 and not ENDING[control] then
  redis.call('ZADD', KEY.deadlines, deadline, batch)
end
ended[batch] = true
return 1
