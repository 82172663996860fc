-- recount: replaces the counts of a batch by those of a scan, if nothing has moved since the scan began.
-- ARGV: batch, number of fields, then field and count of the hash as it was, then field and count as it shall be.
-- Answer: 1 when it was replaced, 0 when jobs have moved in the meantime. A batch whose jobs are all final has ended by
-- it, and one that was taken for ended goes on. Safe to repeat: a second call finds other counts than it expects and
-- changes nothing.
local batch, before = ARGV[1], tonumber(ARGV[2])
local counts = part_key(batch, 'counts')
if redis.call('HLEN', counts) ~= before then return 0 end
for i = 3, 2 + 2 * before, 2 do
  if redis.call('HGET', counts, ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
local rows, finals = 0, 0
redis.call('DEL', counts)
for i = 3 + 2 * before, #ARGV, 2 do
  redis.call('HSET', counts, ARGV[i], ARGV[i + 1])
  rows = rows + ARGV[i + 1]
  if tonumber(string.match(ARGV[i], '^%d+')) >= FINAL then finals = finals + ARGV[i + 1] end
end
local key = batch_key(batch)
redis.call('HSET', key, 'rows', text(rows), 'finals', text(finals))
local control, deadline = unpack(redis.call('HMGET', key, 'control', 'deadline_ms'))
if control == 'draft' then return 1 end
if finals < rows and redis.call('HDEL', key, 'finished_ms') == 1 and tonumber(deadline) > 0 and not ENDING[control] then
  redis.call('ZADD', 'bf:deadlines', deadline, batch)
end
ended[batch] = true
return 1
