-- settle: applies what was decided about jobs, each by compare-and-set on its whole record.
-- KEYS: a key of the account.
-- ARGV: option `lock_ms` (life of a number's lock); then for each job four values: the change as JSON, the record as it
--       was read, the record as it shall be, and the history line or an empty string. A change has the fields
--       batch, row
--       attempt      <job>/<attempt> that holds the number's lock, and that may be the probe of a hold
--       next_ms      time of the next look at the job. Its place follows from the record. Missing: the job stays there
--       hold         {category, cause} of a job that waits until someone releases it; it needs no next_ms
--       rest_ms      how long the number rests. Missing: its lock stays
--       number_hash  hash of a number that the job locks
--       long_id      fax id that is too long for the record
--       spent        attempts to add
--       pages        pages that have arrived and are to be added
--       costs        currency -> what faxes have cost and is to be added (core/prices.py)
--       disproves    what the attempt, if it is a hold's probe, shows to be over: `provider`, or a category of a hold
--                    of the account
--       send         what the end of a send says of the provider: `counts` (as one of the last sends), `answered`,
--                    `unclear`, `failed` with the `status` that came
--       call         a call has ended: the digits of a number that took a fax (`delivered`), or what is known of one
--                    that is not in operation (`dead`: `number`, `area`, `reason` and the policy's figures)
--       totals       field -> number to add
--       ones         fields of the totals to which 1 is added, separated by spaces
--       Fields other than batch, row and attempt are left out when they say nothing.
-- Answer: for each job `done`, `repeat` (it was applied before), `gone` (there is no such job), `unreadable` (what is
-- stored about it cannot be used), or the record that stands there instead.
-- Safe to repeat: a change that was applied is recognised by its history line. Without a line, it is recognised by the
-- stored record: the new one, or what put_back made of it because the batch had ended.
local now = now_ms()
local any_hold = redis.call('HLEN', KEY.holds) > 0
-- batch -> the furthest state that one of its jobs reached in this call: accepted, or delivered
local succeeded = {}
-- value of the counter `sends` at the last usable answer of this call
local answered_sends
-- the same fields of several changes -> the number of these changes: they are taken apart once
local times_of = {}

local function leave_place(batch, row, record)
  local state, job = string.byte(record, 1), job_name(batch, row)
  if state == WAITING then
    remove_due(batch, row, record)
    leave_parked(batch, row, record)
  elseif WATCH[state] then
    local removed = not (state == SENDING and is_unclear(record)) and redis.call('ZREM', WATCH[state], job) == 1
    if state == SENDING and not removed then redis.call('ZREM', UNCLEAR, job) end
  end
end

local function put_to_wait(change, old, new)
  local put = put_back(change.batch, change.row, old, new, change.hold and HELD_SCORE or change.next_ms)
  if change.hold and string.byte(put, 1) == WAITING then
    hold_job(job_name(change.batch, change.row), change.hold.category, change.hold.cause, now)
  end
end

local function put_in_flight(job, new, next_ms)
  local state = string.byte(new, 1)
  if not WATCH[state] then return end
  redis.call('ZADD', state == SENDING and is_unclear(new) and UNCLEAR or WATCH[state], text(next_ms), job)
  if next_ms - now < LONGEST_SLEEP_MS then wake() end
end

local function move(change, job, old, new)
  local batch, row, state = change.batch, change.row, string.byte(new, 1)
  local moves = change.next_ms or change.hold
  if moves then leave_place(batch, row, old) end
  -- a job's own hold ends when the job stops waiting or becomes final
  if any_hold and moves and (string.byte(old, 1) == WAITING or state >= FINAL) then end_hold(scope_of('job', job)) end
  if moves and state == WAITING then return put_to_wait(change, old, new) end
  write_record(batch, row, new)
  move_count(batch, row, old, new)
  if moves then put_in_flight(job, new, change.next_ms) end
  local success = state ~= string.byte(old, 1) and (state == ACCEPTED or state == DELIVERED)
  if success then succeeded[batch] = math.max(state, succeeded[batch] or 0) end
end

-- Failures in a row are over: of a batch when the provider takes a fax, of its documents when one is delivered.
local function end_runs(batch, state)
  for _, scope in ipairs(state == DELIVERED and scopes_of(batch) or {scope_of('batch', batch)}) do
    redis.call('UNLINK', failure_run_key(scope))
  end
end

-- Locks the number of a fax that the provider has although no send of it is known here: the phone call may be running,
-- and nothing locks the number. If another job is calling the number, that job keeps the lock.
local function lock_found_number(job, number, attempt)
  local holder = number_lock(number)
  if holder and holder ~= 'rest' and string.match(holder, '^(.*)/%d+$') ~= job then return end
  lock_number(number, attempt, OPTIONS.lock_ms)
  redis.call('HSET', KEY.locks, job, number)
end

local function history(batch, row)
  local key = block_key(batch, 'history', row)
  return key, redis.call('HGET', key, row)
end

local function append_history(batch, row, line)
  if line == '' then return end
  local key, before = history(batch, row)
  redis.call('HSET', key, row, before and (before .. '\n' .. line) or line)
end

-- Different updates can lead to the same record, so a repeat is recognised by its history line.
local function is_in_history(batch, row, line)
  local _, before = history(batch, row)
  return before and string.find('\n' .. before .. '\n', '\n' .. line .. '\n', 1, true)
end

-- What an ended batch makes of a job that is put back to wait.
local function as_ended(batch, record)
  local ending = string.byte(record, 1) == WAITING and ENDING[redis.call('HGET', batch_key(batch), 'control')]
  if not ending then return record end
  local _, _, attempt = head(record)
  return with_head(record, ending, 0, attempt, 0)
end

-- Whether an earlier run of this call, whose answer was lost, has applied this change.
local function is_applied(batch, row, current, new, line)
  if line ~= '' then return is_in_history(batch, row, line) end
  return current == new or current == as_ended(batch, new)
end

-- What is learned later may make a job doubled, or show that it is not.
local function count_doubled(batch, old, new)
  local delta = doubled(new) - doubled(old)
  if delta ~= 0 then add(batch_key(batch), 'doubled', delta) end
end

-- The breaker looks at how many of the last sends failed or are unclear, and names the statuses that came.
local function note_send(send, attempt)
  if send.counts then count_send() end
  if send.failed then
    redis.call('ZADD', KEY.breaker, text(sends_made()), attempt .. ' ' .. send.status)
  elseif send.answered then
    answered_sends = sends_made()
  end
  if send.unclear then redis.call('ZADD', KEY.unclear_sends, text(sends_made()), attempt) end
end

local function add_effects(change, job)
  local batch, row, attempt = change.batch, change.row, change.attempt
  if any_hold and change.disproves then end_disproved(attempt, change.disproves) end
  if change.rest_ms then free_number(job, attempt, change.rest_ms) end
  if change.number_hash then lock_found_number(job, change.number_hash, attempt) end
  if change.long_id then redis.call('HSET', block_key(batch, 'long_ids', row), row, change.long_id) end
  if change.spent then add(batch_key(batch), 'attempts', change.spent) end
  if change.pages then add(batch_key(batch), 'pages_sent', change.pages) end
  for currency, units in pairs(change.costs or {}) do add(batch_key(batch), 'cost:' .. currency, units) end
  for field, by in pairs(change.totals or {}) do add_total(field, by) end
  if change.ones then times_of[change.ones] = (times_of[change.ones] or 0) + 1 end
  -- what counts sends is about the provider, not about this job
  if change.send then alone(note_send, change.send, attempt) end
  if change.call then alone(note_call, change.call, batch, job, attempt, now) end
end

local function settle(change, old, new, line)
  local batch, row = change.batch, change.row
  local current = read_record(batch, row)
  if #current < WIDTH then return 'gone' end
  if current ~= old then return is_applied(batch, row, current, new, line) and 'repeat' or current end
  if old == new and line ~= '' and is_in_history(batch, row, line) then return 'repeat' end
  local job = job_name(batch, row)
  move(change, job, old, new)
  append_history(batch, row, line)
  count_doubled(batch, old, new)
  add_effects(change, job)
  return 'done'
end

local answer = {}
for i = 2, #ARGV, 4 do
  local ok, word = alone(settle, cjson.decode(ARGV[i]), ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
  answer[#answer + 1] = ok and word or 'unreadable'
end
for fields, times in pairs(times_of) do
  for field in string.gmatch(fields, '%S+') do add_total(field, times) end
end
alone(write_sends)
alone(write_calls)
if answered_sends then alone(note_answer, answered_sends) end
for batch, state in pairs(succeeded) do end_runs(batch, state) end
return answer
