-- fix_selection: fixes which rows of its parent's blocks a rerun takes, before the first of them is copied.
-- KEYS: a key of the account.
-- ARGV: option `batch`; then for each block of the parent its number and its rows, one bit each (empty for none).
-- Answer: a ChunkStatus: stored, closed (no draft any more) or missing.
-- Safe to repeat: what was fixed for a block stays.
local batch = OPTIONS.batch
local control = redis.call('HGET', batch_key(batch), 'control')
if not control then return 'missing' end
if control ~= 'draft' then return 'closed' end
for i = 2, #ARGV, 2 do redis.call('HSETNX', part_key(batch, 'selection'), ARGV[i], ARGV[i + 1]) end
draft_changed(batch)
return 'stored'
