-- reclaim: looks after everything that has come due. Leases that nobody will begin give their jobs back. Sends whose
-- deadline has passed without an answer become unclear. Jobs that are unclear or accepted are named for a look-up or a
-- read-back, and come due again until that is settled.
-- KEYS: a key of the account.
-- ARGV: options `max_jobs` (that are given back), `max_lookups` (jobs of each kind that are named; 0: none), `again_ms`
--       (until a named job comes due again), `max_strikes` (times that the worker of a job may end before the job is
--       held), `lease_ms`, `look_ms` (from a send deadline to the first look-up), `apart_ms` (look-ups come at whole
--       multiples of it).
-- Answer: {jobs given back, jobs held, sends that became unclear, worker processes that live, {class and id of each
-- lease to announce again...}, {jobs to look at...}}.
-- Safe to repeat.
local max_jobs, max_lookups = OPTIONS.max_jobs, OPTIONS.max_lookups
local again_ms, lease_ms = OPTIONS.again_ms, OPTIONS.lease_ms
local look_ms, apart_ms = OPTIONS.look_ms, OPTIONS.apart_ms
local now = now_ms()
write_though_full()
local living = living_workers()
local given_back, held, unclear, announce, look_at = 0, 0, 0, {}, {}

-- Jobs that have been begun, or leased again, are not this lease's any more.
local function give_back(job, number, struck)
  local batch, row = parse_job(job)
  local record = read_record(batch, row)
  if #record < WIDTH then return redis.call('ZREM', WATCH[LEASED], job) end
  local state, strikes, attempt, lease = head(record)
  if state ~= LEASED or (number and lease ~= number) then return end
  redis.call('ZREM', WATCH[LEASED], job)
  if struck then strikes = strikes + 1 end
  local hold = strikes >= OPTIONS.max_strikes
  local new = with_head(record, WAITING, hold and 0 or strikes, attempt, 0)
  local is_held = hold or redis.call('HEXISTS', KEY.holds, scope_of('job', job)) == 1
  new = put_back(batch, row, record, new, is_held and HELD_SCORE or now)
  -- a job of a batch that has ended is final now
  if hold and string.byte(new, 1) == WAITING then
    hold_job(job, 'internal', 'its worker ended ' .. strikes .. ' times before it began', now)
    held = held + 1
  end
  given_back = given_back + 1
end

local function take_back(id, struck)
  local content = redis.call('GET', lease_key(id))
  forget_lease(id)
  if not content then return end
  -- of a content that cannot be read the jobs come back when their time in the watch set is over
  local ok, decoded = pcall(cjson.decode, content)
  content = ok and type(decoded) == 'table' and decoded or {}
  if type(content.jobs) ~= 'table' or type(content.probes) ~= 'table' then return end
  for _, job in ipairs(content.jobs) do alone(give_back, job, content.number, struck) end
  -- another job may be the probe
  for scope, hold_id in pairs(content.probes) do
    local hold = load_hold(scope)
    if hold and hold.id == hold_id then set_probe(hold, now, now, now) end
  end
end

-- A strike counts only when the process that had fetched the lease has ended.
local function look_after(id, lease)
  local fetched, age = lease.name ~= NOBODY, now - lease.made
  local ended = fetched and living.instances[lease.name] ~= lease.instance
  if ended or age >= lease_ms then return take_back(id, ended) end
  if age < 0 then -- the clock was set back
    lease.made, lease.announced = now, now
    return save_lease(id, lease)
  end
  -- a worker without room may have it in its queue; without a worker nothing is announced
  if fetched or (living.count > 0 and not living.room) then return end
  if age >= UNFETCHED_MS then return take_back(id, false) end
  if now - lease.announced >= ANNOUNCE_AGAIN_MS and living.room then
    lease.announced = now
    save_lease(id, lease)
    announce[#announce + 1], announce[#announce + 2] = lease.class, id
  end
end

local leases = redis.call('HGETALL', KEY.leases)
for i = 1, #leases, 2 do
  if given_back >= max_jobs then break end
  local lease = load_lease(leases[i + 1])
  if not (lease and alone(look_after, leases[i], lease)) then alone(take_back, leases[i], false) end
end

local function due(watch, ...)
  return redis.call('ZRANGEBYSCORE', watch, '-inf', text(now), ...)
end

-- jobs whose lease is not known any more
for _, job in ipairs(due(WATCH[LEASED], 'LIMIT', 0, max_jobs)) do
  alone(give_back, job, nil, false)
  redis.call('ZREM', WATCH[LEASED], job)
end

-- Whether the record of a job in flight says that it is in a state; not of a name that is no job's.
local function is_in(job, state)
  local batch, row = parse_job(job)
  local ok, record = alone(read_record, batch, row)
  return ok and string.byte(record, 1) == state
end

local late = max_lookups > 0 and due(WATCH[SENDING], 'WITHSCORES', 'LIMIT', 0, max_jobs) or {}
for i = 1, #late, 2 do
  local job = late[i]
  redis.call('ZREM', WATCH[SENDING], job)
  if is_in(job, SENDING) then
    redis.call('ZADD', UNCLEAR, text(math.ceil((late[i + 1] + look_ms) / apart_ms) * apart_ms), job)
    add_total('attempts_unended', 1)
  end
  unclear = unclear + 1
end

local function name(watch, state)
  for _, job in ipairs(due(watch, 'LIMIT', 0, max_lookups)) do
    if is_in(job, state) then
      redis.call('ZADD', watch, text(now + again_ms), job)
      look_at[#look_at + 1] = job
    else
      redis.call('ZREM', watch, job)
    end
  end
end

-- Without a worker nobody is told: they stay due until there is one.
if living.count > 0 then
  name(UNCLEAR, SENDING)
  name(WATCH[ACCEPTED], ACCEPTED)
end
return {given_back, held, unclear, living.count, announce, look_at}
