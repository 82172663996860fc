-- delete_document: removes a document that no batch needs.
-- KEYS: a key of the account.
-- ARGV: options `sha256`, `unused_ms` (how long ago it must have been used last), `named` (maximum number of batches in
--       the answer).
-- Answer: {deleted}, {missing}, {recent}, or {needed, batches that need it, some of them...}.
-- Safe to repeat. The content is a list of at most 80 chunks, which is freed in the background.
local sha, now = OPTIONS.sha256, now_ms()
local key = document_key(sha)
local users = redis.call('SCARD', document_users_key(sha))
if users > 0 then
  return {'needed', users, unpack(redis.call('SRANDMEMBER', document_users_key(sha), OPTIONS.named))}
end
local used = stored_number(redis.call('ZSCORE', KEY['documents:used'], sha))
if OPTIONS.unused_ms > 0 and used + OPTIONS.unused_ms > now then return {'recent'} end
local is_known = redis.call('HDEL', KEY.documents, sha) == 1
redis.call('ZREM', KEY['documents:used'], sha)
local keys = redis.call('UNLINK', key, key .. ':chunks')
local scope = scope_of('document', sha)
end_hold(scope)
redis.call('UNLINK', failure_run_key(scope))
return {(is_known or keys > 0) and 'deleted' or 'missing'}
