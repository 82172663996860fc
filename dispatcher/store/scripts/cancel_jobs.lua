-- cancel_jobs: ends single jobs of a batch that has not ended. Jobs whose call is under way are left as they are.
-- KEYS: a key of the account.
-- ARGV: options `batch`, `reason` (for people; kept with the batch); then the rows, at most 100.
-- Answer: {jobs that were cancelled, jobs whose call is under way, control of the batch}. Nothing is changed unless the
-- control is scheduled, running or paused.
-- A job that is leased is taken from its lease: begin finds that it is not the lease's any more.
-- Safe to repeat: a job that was cancelled is final.
local batch, now = OPTIONS.batch, now_ms()
local control, cursor = unpack(redis.call('HMGET', batch_key(batch), 'control', 'cursor'))
if control ~= 'scheduled' and control ~= 'running' and control ~= 'paused' then return {0, 0, control or ''} end
local in_flight, any_hold = 0, redis.call('HLEN', KEY.holds) > 0
local cancelled, unleased, unstarted = {}, {}, 0

local function cancel(row)
  local record = read_record(batch, row)
  local state, _, attempt = head(record)
  if state == SENDING or state == ACCEPTED then in_flight = in_flight + 1 end
  if state ~= WAITING and state ~= LEASED then return end
  if state == LEASED then
    unleased[#unleased + 1] = job_name(batch, row)
  elseif row >= stored_number(cursor) then
    unstarted = unstarted + 1
  else
    remove_due(batch, row, record)
    leave_parked(batch, row, record)
  end
  cancelled[#cancelled + 1] = row
  local new = with_head(record, CANCELLED, 0, attempt, 0)
  new = string.sub(new, 1, 34) .. struct.pack('<d', now) .. string.sub(new, 43)
  if any_hold then end_hold(scope_of('job', job_name(batch, row))) end
  write_record(batch, row, new)
  move_count(batch, row, record, new)
end

for i = 2, #ARGV do alone(cancel, tonumber(ARGV[i])) end
if #cancelled > 0 then redis.call('HSET', batch_key(batch), 'cancel_reason', OPTIONS.reason) end
if #unleased > 0 then redis.call('ZREM', WATCH[LEASED], unpack(unleased)) end
if unstarted > 0 then add(batch_key(batch), 'unstarted', -unstarted) end
return {#cancelled, in_flight, control}
