-- unlock: frees the number of a job that does not call it.
-- KEYS: a key of the account.
-- ARGV: option `job`.
-- Answer: 1 when the job holds no lock any more, 0 when it is calling.
-- Safe to repeat.
local job = OPTIONS.job
local batch, row = parse_job(job)
local state = string.byte(read_record(batch, row), 1)
if state == SENDING or state == ACCEPTED then return 0 end
local hash = redis.call('HGET', KEY.locks, job)
local holder = hash and number_lock(hash)
if holder and string.match(holder, '^(.*)/%d+$') == job then redis.call('DEL', number_key(hash)) end
redis.call('HDEL', KEY.locks, job)
return 1
