-- create: stores a batch as a draft without recipients.
-- KEYS: a key of the account.
-- ARGV: options `batch`, `created_ms`, `max_drafts` (open drafts with which no other is created; 0: any number),
--       `parents` (the batches that it is a rerun of, at most 50), `documents` (their SHA-256); then field and value of
--       its hash, field and value, ...
-- Answer: a CreateStatus: created, repeat (the batch exists), deleted (it existed), no_document (one of its documents
-- does not exist), or full (there are `max_drafts` open drafts).
-- Safe to repeat.
local key = batch_key(OPTIONS.batch)
if redis.call('ZSCORE', KEY.deleted, OPTIONS.batch) then
  redis.call('ZADD', KEY.deleted, text(now_ms() + DELETED_KNOWN_MS), OPTIONS.batch)
  return 'deleted'
end
if redis.call('EXISTS', key) == 1 then return 'repeat' end
for _, sha in ipairs(OPTIONS.documents) do
  if redis.call('HEXISTS', KEY.documents, sha) == 0 then return 'no_document' end
end
if OPTIONS.max_drafts > 0 and redis.call('ZCARD', KEY.drafts) >= OPTIONS.max_drafts then return 'full' end
redis.call('HSET', key, unpack(ARGV, 2))
redis.call('ZADD', KEY.batches, 'NX', text(OPTIONS.created_ms), OPTIONS.batch)
for _, parent in ipairs(OPTIONS.parents) do
  -- a parent that is being deleted gets no new key
  local control = redis.call('HGET', batch_key(parent), 'control')
  if control and control ~= 'deleting' then
    redis.call('ZADD', part_key(parent, 'reruns'), text(OPTIONS.created_ms), OPTIONS.batch)
  end
end
for _, sha in ipairs(OPTIONS.documents) do need_document(OPTIONS.batch, sha) end
draft_changed(OPTIONS.batch)
return 'created'
