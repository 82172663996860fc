-- reap: an entry comes due and somebody looks. Leases that ended give their jobs back (after too many of them the job
-- is held); jobs being sent or accepted are named for a look-up or read-back, and come due again until it is settled.
-- ARGV: most entries of each kind, time until a named job comes due again (ms), leases that may end before a job is
--       held.
-- Answer: {leases given back, jobs held, then the jobs to look at...}. Safe to repeat.
local most, again_ms, max_strikes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = math.floor(now_us() / 1000)
local given_back, held, look_at = 0, 0, {}

local function due(state) return redis.call('ZRANGEBYSCORE', WATCH[state], '-inf', text(now), 'LIMIT', 0, most) end

for _, job in ipairs(due(LEASED)) do
  local batch, row = parse_job(job)
  local record = read_record(batch, row)
  local state, strikes, attempt = head(record)
  redis.call('ZREM', WATCH[LEASED], job)
  if state == LEASED then
    local again = now
    strikes = strikes + 1
    if strikes >= max_strikes then
      hold_job(job, 'internal', 'its worker vanished ' .. strikes .. ' times before it began', now)
      held = held + 1
      again, strikes = NEVER, 0
    end
    put_back(batch, row, record, with_head(record, WAITING, strikes, attempt, 0), again)
    given_back = given_back + 1
  end
end

for _, wanted in ipairs({SENDING, ACCEPTED}) do
  for _, job in ipairs(due(wanted)) do
    local batch, row = parse_job(job)
    if string.byte(read_record(batch, row), 1) == wanted then
      redis.call('ZADD', WATCH[wanted], text(now + again_ms), job)
      look_at[#look_at + 1] = job
    else
      redis.call('ZREM', WATCH[wanted], job)
    end
  end
end
return {given_back, held, unpack(look_at)}
