-- repair: puts one job where its record says that it belongs, due now, and takes it out of every other place.
-- KEYS: a key of the account.
-- ARGV: option `job`.
-- Answer: 1 when something was changed.
-- Safe to repeat.
local job = OPTIONS.job
local batch, row = parse_job(job)
local now = now_ms()
local record = read_record(batch, row)
local state, code = string.byte(record, 1), country_code(record)
local due = part_key(batch, 'due')
local control, cursor = unpack(redis.call('HMGET', batch_key(batch), 'control', 'cursor'))
local waits, changed = state == WAITING and row < tonumber(cursor), 0

-- A row of a held country may be parked, and nowhere else.
local country = code > 0 and country_name(code)
local parked = country and redis.call('GETBIT', parked_rows_key(batch, country), row) == 1
local stays_parked = parked and waits and not ENDING[control] and not redis.call('ZSCORE', due, row)
  and redis.call('HEXISTS', KEY.holds, country_scope(country)) == 1
if stays_parked then
  note_parked(batch, country)
elseif parked then
  changed = unpark_row(batch, country, row)
end
if waits and not stays_parked then
  local new = redis.call('ZADD', due, 'NX', text(now), row)
  if new == 1 then count_wait(batch, record, now, 1) end
  if new == 1 and control == 'running' then lower_timer(batch, now) end
  if new == 1 and ENDING[control] then redis.call('SADD', KEY.draining, batch) end
  changed = changed + new
else
  changed = changed + remove_due(batch, row, record)
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
