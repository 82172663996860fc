-- Put in front of every script: names of keys, the record's layout (codec.py), counts that move with it.

local BLOCK, WIDTH = 1000, 72
local VOID, WAITING, LEASED, SENDING, ACCEPTED = 0, 1, 2, 3, 4
local DELIVERED, CANCELLED, EXPIRED = 10, 13, 14
local FINAL = DELIVERED -- and all above
local WATCH = {[LEASED] = 'bf:watch:leased', [SENDING] = 'bf:watch:sending', [ACCEPTED] = 'bf:watch:accepted'}
-- where a job that is sending waits once its answer was unclear, or its send deadline has passed without one
local UNCLEAR = 'bf:watch:unclear'
-- the due time (ms) of a job that its own hold keeps back
local NEVER = 253402300799000
-- no scheduler sleeps longer
local LONGEST_SLEEP_MS = 1000
-- how much longer a key lives than the time that it tells
local CLEAN_UP_MS = 60000
local ENDING = {cancelled = CANCELLED, expired = EXPIRED}

local time_us
local function now_us()
  if time_us then return time_us end
  local t = redis.call('TIME')
  time_us = t[1] * 1000000 + t[2]
  return time_us
end

-- A number as a whole one, in digits; numbers in arguments of commands are slower.
local function text(number) return string.format('%d', math.floor(number + 0.5)) end
local function batch_key(batch) return 'bf:batch:' .. batch end
local function part_key(batch, name) return 'bf:batch:' .. batch .. ':' .. name end

-- The same few keys are asked for again and again.
local known_keys = {}
local function records_key(batch, row)
  local block = math.floor(row / BLOCK)
  local keys = known_keys[batch] or {}
  known_keys[batch] = keys
  keys[block] = keys[block] or part_key(batch, 'records:' .. text(block))
  return keys[block]
end

local function read_record(batch, row)
  local start = (row % BLOCK) * WIDTH
  return redis.call('GETRANGE', records_key(batch, row), start, start + WIDTH - 1)
end

local function write_record(batch, row, record)
  redis.call('SETRANGE', records_key(batch, row), (row % BLOCK) * WIDTH, record)
end

local function job_name(batch, row) return batch .. '.' .. text(row) end

local function parse_job(job)
  local batch, row = string.match(job, '^(%w+)%.(%d+)$')
  return batch, tonumber(row)
end

-- state, strikes, attempt, lease of a record; a job that is gone has none, and is no job
local function head(record)
  if #record < WIDTH then return VOID, 0, 0, 0 end
  local state, strikes, _, attempt, lease = struct.unpack('<BBHI4I4', record)
  return state, strikes, attempt, lease
end

-- The country code (bytes 3 and 4) never changes.
local function with_head(record, state, strikes, attempt, lease)
  return struct.pack('<BB', state, strikes) .. string.sub(record, 3, 4) .. struct.pack('<I4I4', attempt, lease)
    .. string.sub(record, 13)
end

-- Whether the record itself says that the attempt is being looked for: an unclear answer (flag 2), or a look so far.
local function is_unclear(record)
  return math.floor(string.byte(record, 21) / 2) % 2 == 1 or string.byte(record, 20) > 0
end

-- the recipient's country as a number (codec.py); 0 when it is not known
local function country_code(record)
  local low, high = string.byte(record, 3, 4)
  return low + 256 * high
end

-- What jobs are counted by: state, category and type, a byte each.
local function count_of(record) return string.sub(record, 1, 1) .. string.sub(record, 13, 14) end

-- state:category:type, the field of the counts hash
local function count_field(count) return table.concat({string.byte(count, 1, 3)}, ':') end

-- Counts are changed at the end of a script, once for each field and not for each job: key, field, sum. Jobs that move
-- from one count to another are gathered first: batch, both counts, jobs. Then the batches are looked at that may have
-- ended by it.
local added, moved, ended = {}, {}, {}

local function add(key, field, by)
  local fields = added[key] or {}
  added[key] = fields
  fields[field] = (fields[field] or 0) + by
end

local function add_total(field, by) add('bf:totals', field, by) end

-- Totals as they were before this script, by field.
local totals_before = {}

-- A total with what this script adds to it.
local function total(field)
  totals_before[field] = totals_before[field] or tonumber(redis.call('HGET', 'bf:totals', field) or 0)
  local fields = added['bf:totals'] or {}
  return totals_before[field] + (fields[field] or 0)
end

local function move_jobs(from_state, to_state, jobs)
  add_total('jobs|' .. from_state, -jobs)
  add_total('jobs|' .. to_state, jobs)
end

-- Moves one job from the count of its old record to that of its new one.
local function move_count(batch, old, new)
  local moves, both = moved[batch] or {}, count_of(old) .. count_of(new)
  moved[batch] = moves
  moves[both] = (moves[both] or 0) + 1
end

-- Jobs that become final are added to the batch's sum and to the totals.
local function add_moves(batch, from, to, jobs)
  if from == to then return end
  local counts, old_state, new_state = part_key(batch, 'counts'), string.byte(from), string.byte(to)
  add(counts, count_field(from), -jobs)
  add(counts, count_field(to), jobs)
  move_jobs(old_state, new_state, jobs)
  if new_state >= FINAL and old_state < FINAL then
    add_total('final|' .. count_field(to), jobs)
    add(batch_key(batch), 'finals', jobs)
    ended[batch] = true
  end
end

-- Wakes schedulers, which sleep until the next entry that they know of and for a second at most (next_due.lua). Two words
-- wake two of them; one that is awake looks before it sleeps and needs none.
local function wake()
  redis.call('LPUSH', 'bf:wake', 1, 1)
  redis.call('LTRIM', 'bf:wake', 0, 3)
end

local function end_hold(scope)
  if redis.call('HDEL', 'bf:holds', scope) == 0 then return end
  if redis.call('EXISTS', 'bf:parked:' .. scope) == 1 then redis.call('SADD', 'bf:released', scope) end
  wake()
end

-- Scopes whose holds stop the whole batch, account and provider left out.
local function scopes_of(batch)
  local scopes = {'batch:' .. batch}
  for sha in string.gmatch(redis.call('HGET', batch_key(batch), 'documents'), '[^,]+') do
    scopes[#scopes + 1] = 'document:' .. sha
  end
  return scopes
end

-- Nothing of a batch that has ended is held any more, or counted to hold it.
local function end_holds_of(batch)
  for _, scope in ipairs(scopes_of(batch)) do redis.call('SREM', 'bf:parked:' .. scope, batch) end
  end_hold('batch:' .. batch)
  redis.call('UNLINK', 'bf:strikes:batch:' .. batch)
end

-- Every script ends with this (lua.py). The last final job of a batch ends it, and then it cannot expire any more; a
-- count of nothing is left out.
local function write_counts()
  for batch, moves in pairs(moved) do
    for both, jobs in pairs(moves) do add_moves(batch, string.sub(both, 1, 3), string.sub(both, 4), jobs) end
  end
  for key, fields in pairs(added) do
    for field, by in pairs(fields) do
      local count = by ~= 0 and redis.call('HINCRBY', key, field, by)
      if count and count <= 0 and string.sub(key, -7) == ':counts' then redis.call('HDEL', key, field) end
    end
  end
  for batch in pairs(ended) do
    local finals, rows = unpack(redis.call('HMGET', batch_key(batch), 'finals', 'rows'))
    if tonumber(finals) >= tonumber(rows) then
      redis.call('HSETNX', batch_key(batch), 'finished_ms', text(math.floor(now_us() / 1000)))
      redis.call('ZREM', 'bf:deadlines', batch)
      end_holds_of(batch)
    end
  end
end

-- Whoever sleeps is woken by a time that comes sooner than all that were known. A batch that is being sent keeps the
-- schedulers awake.
local function lower_timer(batch, at_ms)
  local first = redis.call('ZRANGE', 'bf:timers', 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', 'bf:timers', 'LT', text(at_ms), batch)
  if at_ms - now_us() / 1000 >= LONGEST_SLEEP_MS or (first and at_ms >= tonumber(first)) then return end
  local class = redis.call('HGET', batch_key(batch), 'class')
  if not redis.call('ZSCORE', 'bf:active:' .. class, batch) then wake() end
end

-- A waiting job's place is its batch's due set; a job of an ended batch becomes final instead.
local function put_back(batch, row, old, new, due_ms)
  local control = redis.call('HGET', batch_key(batch), 'control')
  if ENDING[control] then
    local _, _, attempt = head(new)
    new = with_head(new, ENDING[control], 0, attempt, 0)
    end_hold('job:' .. job_name(batch, row))
  else
    redis.call('ZADD', part_key(batch, 'due'), text(due_ms), row)
    if control == 'running' then lower_timer(batch, due_ms) end
  end
  write_record(batch, row, new)
  move_count(batch, old, new)
  return new
end

-- Holds one job until someone releases it; it stands in its batch's due set at NEVER.
local function hold_job(job, category, cause, now_ms)
  local id = string.sub(redis.sha1hex(job .. text(now_us())), 1, 16)
  redis.call('HSET', 'bf:holds', 'job:' .. job, cjson.encode({id = id, scope = 'job:' .. job, category = category,
    cause = cause, since_ms = now_ms, probe_at_ms = 0}))
  add_total('holds|' .. category, 1)
end

-- Who calls a number (<job>/<attempt>) or `rest`, and until when that counts (ms). The key's own expiry only cleans up.
local function number_lock(hash)
  local stored = redis.call('GET', 'bf:number:' .. hash)
  if not stored then return nil end
  local holder, until_ms = string.match(stored, '^(%S+) (%d+)$')
  until_ms = tonumber(until_ms or 0)
  if until_ms > math.floor(now_us() / 1000) then return holder, until_ms end
end

local function lock_number(hash, holder, life_ms)
  local until_ms = math.floor(now_us() / 1000) + life_ms
  redis.call('SET', 'bf:number:' .. hash, holder .. ' ' .. text(until_ms), 'PX', text(life_ms + CLEAN_UP_MS))
end

local function free_number(job, holder, rest_ms)
  local hash = redis.call('HGET', 'bf:locks', job)
  if not hash then return end
  redis.call('HDEL', 'bf:locks', job)
  if number_lock(hash) ~= holder then return end
  if rest_ms > 0 then
    lock_number(hash, 'rest', rest_ms)
  else
    redis.call('DEL', 'bf:number:' .. hash)
  end
end
