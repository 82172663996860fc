-- next_due: when a scheduler has to look again if nobody wakes it before. Changes nothing.
-- ARGV: how far ahead slots are granted (us), 1 if what was sent or accepted may be looked for (0: a step of the clock
--       is waited out).
-- Answer: {time until the next entry is due (ms; 0: now, -1: there is none), jobs leased}. Safe to repeat.
-- Whoever asks is a scheduler that lives, and that is written down every few seconds: it may look at nothing else for long.
local SHOW_LIFE_MS = 3000
local shown = tonumber(redis.call('GET', 'bf:scheduler:seen') or 0)
if math.abs(now_ms() - shown) >= SHOW_LIFE_MS then redis.pcall('SET', 'bf:scheduler:seen', text(now_ms())) end
local now = now_ms()

local function first_of(key) return tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or math.huge) end

-- When work may be leased: not before there is a slot for it, nor before the next probe of a hold.
local function may_lease_ms()
  local us, pace = now_us(), load_pace()
  bound_wait(pace, us)
  come_in_time(pace, us)
  local ms = math.ceil(math.max(pace.blocked_until_us, next_slot(pace, us) - tonumber(ARGV[1])) / 1000)
  for _, scope in ipairs({'provider', 'account'}) do
    local hold = redis.call('HGET', 'bf:holds', scope)
    local probe_ms = hold and cjson.decode(hold).probe_at_ms
    if probe_ms then ms = math.max(ms, probe_ms > 0 and probe_ms or NEVER) end
  end
  return ms
end

local function work_ms()
  if redis.call('EXISTS', 'bf:released') == 1 then return now end
  for _, class in ipairs({'urgent', 'bulk'}) do
    if redis.call('EXISTS', 'bf:active:' .. class) == 1 then return now end
  end
  return first_of('bf:timers')
end

local next_ms = math.max(work_ms(), may_lease_ms())
local watched = {'bf:deadlines', 'bf:inbox:deferred', WATCH[LEASED]}
if ARGV[2] == '1' then
  for _, key in ipairs({WATCH[SENDING], UNCLEAR, WATCH[ACCEPTED]}) do watched[#watched + 1] = key end
end
for _, key in ipairs(watched) do next_ms = math.min(next_ms, first_of(key)) end
if redis.call('EXISTS', 'bf:draining') == 1 or redis.call('XLEN', 'bf:inbox') > 0 then next_ms = now end
return {next_ms < NEVER and math.max(0, next_ms - now) or -1, redis.call('ZCARD', WATCH[LEASED])}
