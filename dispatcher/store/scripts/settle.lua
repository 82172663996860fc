-- settle: applies what was decided about jobs, each by compare-and-set on its whole record.
-- ARGV: life of a number's lock (ms), then for each job thirteen values: batch, row, record as it was read, record as it
--       shall be, time of its next look
--       (ms; its place follows from the record; -1 leaves it where it is; NEVER holds a job that waits, with category
--       and cause of its history line), history line or empty, rest of its number (ms; -1 keeps the lock), holder of
--       that lock (<job>/<attempt>), hash of a number that it locks or empty, fax id if too long for the record,
--       attempts to add, causes of holds that end if the attempt is a probe of theirs (commas between), totals to add
--       (lines of field TAB number).
-- Answer: for each job `done`, `repeat` (it was applied before), `gone` (there is no such job), or the record that stands
-- there instead.
-- Safe to repeat: what was applied is not applied again, and is known by its history line, or by its record or what an
-- ended batch makes of it.
local FIELDS = 13
local lock_ms = tonumber(ARGV[1])
local now = now_ms()
local any_hold = redis.call('HLEN', 'bf:holds') > 0
-- batch -> the most that became of a job of it in this call: accepted, or delivered
local succeeded = {}
-- sends made by the last usable answer of this call
local answered_sends

local function leave_place(batch, row, record)
  local state, job = string.byte(record, 1), job_name(batch, row)
  if state == WAITING then
    redis.call('ZREM', part_key(batch, 'due'), row)
    leave_parked(batch, row, record)
  elseif WATCH[state] then
    local left = not (state == SENDING and is_unclear(record)) and redis.call('ZREM', WATCH[state], job) == 1
    if state == SENDING and not left then redis.call('ZREM', UNCLEAR, job) end
  end
end

local function move(batch, row, old, new, next_ms, line)
  local state = string.byte(new, 1)
  if next_ms >= 0 then leave_place(batch, row, old) end
  -- a job is held while it waits
  if any_hold and next_ms >= 0 and (string.byte(old, 1) == WAITING or state >= FINAL) then
    end_hold('job:' .. job_name(batch, row))
  end
  if next_ms >= 0 and state == WAITING then
    local put = put_back(batch, row, old, new, next_ms)
    if next_ms == NEVER and string.byte(put, 1) == WAITING then
      local entry = cjson.decode(line)
      hold_job(job_name(batch, row), entry.category, entry.why, now)
    end
    return
  end
  write_record(batch, row, new)
  move_count(batch, old, new)
  if next_ms >= 0 and WATCH[state] then
    local watch = state == SENDING and is_unclear(new) and UNCLEAR or WATCH[state]
    redis.call('ZADD', watch, text(next_ms), job_name(batch, row))
    if next_ms - now < LONGEST_SLEEP_MS then wake() end
  end
  local success = state ~= string.byte(old, 1) and (state == ACCEPTED or state == DELIVERED)
  if success then succeeded[batch] = math.max(state, succeeded[batch] or 0) end
end

-- Failures in a row are over: of a batch when the provider takes a fax, of its documents when one is delivered.
local function end_runs(batch, state)
  redis.call('UNLINK', 'bf:strikes:batch:' .. batch)
  if state ~= DELIVERED then return end
  for sha in string.gmatch(redis.call('HGET', batch_key(batch), 'documents'), '[^,]+') do
    redis.call('UNLINK', 'bf:strikes:document:' .. sha)
  end
end

-- A fax that is found later is in a call without ever having begun here. Another job's call of that number keeps its lock.
local function lock_found(job, number, holder)
  local by = number_lock(number)
  if by and by ~= 'rest' and string.match(by, '^(.*)/%d+$') ~= job then return end
  lock_number(number, holder, lock_ms)
  redis.call('HSET', 'bf:locks', job, number)
end

local function history(batch, row)
  local key = part_key(batch, 'history:' .. text(math.floor(row / BLOCK)))
  return key, redis.call('HGET', key, row)
end

local function append_history(batch, row, line)
  if line == '' then return end
  local key, before = history(batch, row)
  redis.call('HSET', key, row, before and (before .. '\n' .. line) or line)
end

-- Two pieces of evidence can lead to the same record: a repeat is known by its line too.
local function is_told(batch, row, line)
  local _, before = history(batch, row)
  return line == '' or (before and string.find('\n' .. before .. '\n', '\n' .. line .. '\n', 1, true))
end

-- What an ended batch makes of a job that is put back to wait.
local function as_ended(batch, record)
  local ending = string.byte(record, 1) == WAITING and ENDING[redis.call('HGET', batch_key(batch), 'control')]
  if not ending then return record end
  local _, _, attempt = head(record)
  return with_head(record, ending, 0, attempt, 0)
end

-- Whether the change is the one that this call made before, and whose answer was lost.
local function is_applied(batch, row, current, new, line)
  if line ~= '' then return is_told(batch, row, line) end
  return current == new or current == as_ended(batch, new)
end

-- What is learned later may make a job doubled, or show that it is not.
local function count_doubled(batch, old, new)
  local by = string.byte(new, 21) % 2 - string.byte(old, 21) % 2
  if by ~= 0 then add(batch_key(batch), 'doubled', by) end
end

local function add_totals(lines)
  for field, by in string.gmatch(lines, '([^\t\n]+)\t(%-?%d+)') do add_total(field, tonumber(by)) end
end

-- The breaker looks at how many of the last sends these are, and names the statuses that came.
local function note_providers_failure(attempt, totals)
  local status = string.match(totals, 'provider_responses|(%w+)\t') or 'none'
  redis.call('ZADD', 'bf:breaker', text(sends_made()), attempt .. ' ' .. status)
end

local ANSWERS = {accepted = true, refused = true, rate_limited = true}
local function is_answer(totals) return ANSWERS[string.match(totals, 'attempts|([%w_]+)\t')] or false end

local function settle(batch, row, old, new, next_ms, line, rest_ms, holder, number, long_id, attempts,
  disproved, totals)
  row, next_ms, rest_ms = tonumber(row), tonumber(next_ms), tonumber(rest_ms)
  local current = read_record(batch, row)
  if #current < WIDTH then return 'gone' end
  if current ~= old then return is_applied(batch, row, current, new, line) and 'repeat' or current end
  if old == new and line ~= '' and is_told(batch, row, line) then return 'repeat' end
  move(batch, row, old, new, next_ms, line)
  if any_hold and disproved ~= '' then end_disproved(holder, disproved) end
  append_history(batch, row, line)
  if rest_ms >= 0 then free_number(job_name(batch, row), holder, rest_ms) end
  if number ~= '' then lock_found(job_name(batch, row), number, holder) end
  if long_id ~= '' then redis.call('HSET', part_key(batch, 'long_ids:' .. text(math.floor(row / BLOCK))), row, long_id) end
  if attempts ~= '0' then add(batch_key(batch), 'attempts', tonumber(attempts)) end
  count_doubled(batch, old, new)
  add_totals(totals)
  if string.find(totals, 'provider_failures\t', 1, true) then
    note_providers_failure(holder, totals)
  elseif is_answer(totals) then
    answered_sends = sends_made()
  end
  if string.find(totals, 'attempts|unclear\t', 1, true) then
    redis.call('ZADD', 'bf:unclear_sends', text(sends_made()), holder)
  end
  return 'done'
end

local answer = {}
for i = 2, #ARGV, FIELDS do answer[#answer + 1] = settle(unpack(ARGV, i, i + FIELDS - 1)) end
if answered_sends then note_answer(answered_sends) end
for batch, state in pairs(succeeded) do end_runs(batch, state) end
return answer
