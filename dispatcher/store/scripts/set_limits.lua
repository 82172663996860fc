-- set_limits: the account's limits. Settings give theirs at every start; what an operator gave stands above them. An
-- operator's change ends a wait that the provider asked for, too.
-- ARGV: whose they are (`settings`, `operator`, or `default`, which forgets the operator's), then faxes in a second, a
--       minute, a day; empty: as before, 0: no such limit.
-- Answer: the limit of a second that is in force. Safe to repeat.
local pace, allowances, present = load_pace(), {}, {}

-- The fields are settings_second, operator_second and so on.
for i, period in ipairs({'second', 'minute', 'day'}) do
  if ARGV[1] == 'default' then
    redis.call('HDEL', 'bf:limiter', 'operator_' .. period)
  elseif ARGV[i + 1] ~= '' then
    redis.call('HSET', 'bf:limiter', ARGV[1] .. '_' .. period, ARGV[i + 1])
  end
end
local function limit(period)
  local given = redis.call('HMGET', 'bf:limiter', 'operator_' .. period, 'settings_' .. period)
  return tonumber(given[1] or given[2] or 0)
end

if ARGV[1] ~= 'settings' then unblock(pace, now_us()) end

-- An uncut rate follows the limit at once, a cut one stays cut.
local ceiling = limit('second')
pace.rate = (pace.rate >= pace.ceiling) and ceiling or math.min(pace.rate, ceiling)
pace.ceiling = ceiling
for _, one in ipairs(pace.allowances or {}) do present[one.period] = one end
for _, period in ipairs({'minute', 'day'}) do
  if limit(period) > 0 then
    local one = present[period] or new_allowance(period, 0)
    one.limit = limit(period)
    allowances[#allowances + 1] = one
  end
end
pace.allowances = #allowances > 0 and allowances or nil
if not pace.allowances then redis.call('HDEL', 'bf:limiter', 'allowances') end
save_pace(pace)
return string.format('%.17g', ceiling)
