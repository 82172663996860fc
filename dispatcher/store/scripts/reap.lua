-- reap: an entry comes due and somebody looks. Leases that ended give their jobs back (after too many of them the job
-- is held); sends whose deadline has passed without an answer become unclear; jobs that are unclear or accepted are named
-- for a look-up or read-back, and come due again until it is settled.
-- ARGV: most entries of each kind, time until a named job comes due again (ms), leases that may end before a job is
--       held, time from a send deadline to the first look (ms), which is put off to a whole multiple of (ms).
-- Answer: {leases given back, jobs held, sends that became unclear, then the jobs to look at...}. Safe to repeat.
local most, again_ms, max_strikes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local look_ms, apart_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local now = math.floor(now_us() / 1000)
local given_back, held, unclear, look_at = 0, 0, 0, {}

local function due(watch, ...)
  return redis.call('ZRANGEBYSCORE', watch, '-inf', text(now), ...)
end

for _, job in ipairs(due(WATCH[LEASED], 'LIMIT', 0, most)) do
  local batch, row = parse_job(job)
  local record = read_record(batch, row)
  local state, strikes, attempt = head(record)
  redis.call('ZREM', WATCH[LEASED], job)
  if state == LEASED then
    strikes = strikes + 1
    local hold = strikes >= max_strikes
    local new = with_head(record, WAITING, hold and 0 or strikes, attempt, 0)
    new = put_back(batch, row, record, new, hold and NEVER or now)
    -- a job of a batch that has ended is final now
    if hold and string.byte(new, 1) == WAITING then
      hold_job(job, 'internal', 'its worker vanished ' .. strikes .. ' times before it began', now)
      held = held + 1
    end
    given_back = given_back + 1
  end
end

local late = due(WATCH[SENDING], 'WITHSCORES', 'LIMIT', 0, most)
for i = 1, #late, 2 do
  local job, batch, row = late[i], parse_job(late[i])
  redis.call('ZREM', WATCH[SENDING], job)
  if string.byte(read_record(batch, row), 1) == SENDING then
    redis.call('ZADD', UNCLEAR, text(math.ceil((late[i + 1] + look_ms) / apart_ms) * apart_ms), job)
  end
  unclear = unclear + 1
end

local function name(watch, state)
  for _, job in ipairs(due(watch, 'LIMIT', 0, most)) do
    local batch, row = parse_job(job)
    if string.byte(read_record(batch, row), 1) == state then
      redis.call('ZADD', watch, text(now + again_ms), job)
      look_at[#look_at + 1] = job
    else
      redis.call('ZREM', watch, job)
    end
  end
end

name(UNCLEAR, SENDING)
name(WATCH[ACCEPTED], ACCEPTED)
return {given_back, held, unclear, unpack(look_at)}
