-- touch_document: stores what a check has seen of a document that is stored already; its life begins anew.
-- KEYS: a key of the account.
-- ARGV: option `sha256`; then field and value of its hash, field and value, ...
-- Answer: 1, or 0 if there is no such document.
-- Safe to repeat.
local key = document_key(OPTIONS.sha256)
if redis.call('EXISTS', key) == 0 then return 0 end
redis.call('HSET', key, unpack(ARGV, 2))
redis.call('ZADD', KEY['documents:used'], text(now_ms()), OPTIONS.sha256)
return 1
