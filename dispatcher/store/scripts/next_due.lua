-- next_due: when a scheduler has to look again if nobody wakes it before.
-- KEYS: a key of the account.
-- ARGV: options `horizon_us` (how far ahead slots are granted), `in_flight` (whether what was sent or accepted may be
--       looked for; not while a step of the clock is waited out).
-- Answer: {time until the next entry is due (ms; 0: now, -1: there is none), jobs leased}.
-- Safe to repeat. It writes only, every few seconds, that a scheduler lives: it may look at nothing else for long.
local shown = stored_number(redis.call('GET', KEY['scheduler:seen']))
if math.abs(now_ms() - shown) >= SHOW_LIFE_MS then redis.pcall('SET', KEY['scheduler:seen'], text(now_ms())) end
local now = now_ms()

-- A key of another type has no first entry.
local function first_of(key)
  local ok, first = alone(redis.call, 'ZRANGE', key, 0, 0, 'WITHSCORES')
  return tonumber(ok and first[2] or math.huge)
end

-- When work may be leased: not before there is a slot for it, nor before the next probe of a hold.
local function may_lease_ms()
  local us, pace = now_us(), load_pace()
  bound_wait(pace, us)
  come_in_time(pace, us)
  local ms = math.ceil(math.max(pace.blocked_until_us, next_slot(pace, us) - OPTIONS.horizon_us) / US_PER_MS)
  for _, scope in ipairs({'provider', 'account'}) do
    local hold = load_hold(scope)
    local probe_ms = hold and hold.probe_at_ms
    if probe_ms then ms = math.max(ms, probe_ms > 0 and probe_ms or HELD_SCORE) end
  end
  return ms
end

local function work_ms()
  if redis.call('EXISTS', KEY.released) == 1 then return now end
  for _, class in ipairs({'urgent', 'bulk'}) do
    if redis.call('EXISTS', active_key(class)) == 1 then return now end
  end
  return first_of(KEY.timers)
end

local next_ms = math.max(work_ms(), may_lease_ms())
local watched = {KEY.deadlines, KEY['inbox:deferred'], WATCH[LEASED]}
if OPTIONS.in_flight then
  for _, key in ipairs({WATCH[SENDING], UNCLEAR, WATCH[ACCEPTED]}) do watched[#watched + 1] = key end
end
for _, key in ipairs(watched) do next_ms = math.min(next_ms, first_of(key)) end
local _, events = alone(redis.call, 'XLEN', KEY.inbox)
if redis.call('EXISTS', KEY.draining, KEY.deleting) > 0 or (events or 0) > 0 then next_ms = now end
return {next_ms < HELD_SCORE and math.max(0, next_ms - now) or -1, redis.call('ZCARD', WATCH[LEASED])}
