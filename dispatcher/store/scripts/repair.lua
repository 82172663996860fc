-- repair: puts one job where its record says that it belongs, due now, and takes it out of every other place.
-- ARGV: job. Answer: 1 when something was changed. Safe to repeat.
local job = ARGV[1]
local batch, row = parse_job(job)
local now = math.floor(now_us() / 1000)
local record = read_record(batch, row)
local state = string.byte(record, 1)
local due, cursor = part_key(batch, 'due'), tonumber(redis.call('HGET', batch_key(batch), 'cursor'))
local control, changed = redis.call('HGET', batch_key(batch), 'control'), 0

if state == WAITING and row < cursor then
  changed = redis.call('ZADD', due, 'NX', text(now), row)
  if changed == 1 and control == 'running' then lower_timer(batch, now) end
  if changed == 1 and ENDING[control] then redis.call('SADD', 'bf:draining', batch) end
else
  changed = redis.call('ZREM', due, row)
end
local right = WATCH[state]
if state == SENDING and (is_unclear(record) or redis.call('ZSCORE', UNCLEAR, job)) then right = UNCLEAR end
for _, key in ipairs({WATCH[LEASED], WATCH[SENDING], UNCLEAR, WATCH[ACCEPTED]}) do
  if key == right then
    changed = changed + redis.call('ZADD', key, 'NX', text(now), job)
  else
    changed = changed + redis.call('ZREM', key, job)
  end
end
return changed > 0 and 1 or 0
