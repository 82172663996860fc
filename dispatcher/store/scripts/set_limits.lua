-- set_limits: sets limits of the account. The settings give theirs at every start; an operator's stand above them, and
-- setting them ends a wait that the provider asked for.
-- KEYS: a key of the account.
-- ARGV: options `source` (`settings`, `operator`, or `default`, which forgets the operator's), `limits` (faxes in a
--       `second`, `minute`, `day`; a period that is missing stays as it is, 0: no such limit).
-- Answer: the limit of a second that is in force.
-- Safe to repeat.
local pace, allowances, present = load_pace(), {}, {}

-- The fields are settings_second, operator_second and so on.
for _, period in ipairs({'second', 'minute', 'day'}) do
  if OPTIONS.source == 'default' then
    redis.call('HDEL', KEY.limiter, 'operator_' .. period)
  elseif OPTIONS.limits[period] then
    local number = string.format('%.17g', OPTIONS.limits[period])
    redis.call('HSET', KEY.limiter, OPTIONS.source .. '_' .. period, number)
  end
end
local function limit(period)
  local limits = redis.call('HMGET', KEY.limiter, 'operator_' .. period, 'settings_' .. period)
  return tonumber(limits[1] or limits[2] or 0)
end

if OPTIONS.source ~= 'settings' then unblock(pace, now_us()) end

-- An uncut rate follows the limit at once, a cut one stays cut.
local ceiling = limit('second')
pace.rate = (pace.rate >= pace.ceiling) and ceiling or math.min(pace.rate, ceiling)
pace.ceiling = ceiling
for _, allowance in ipairs(pace.allowances or {}) do present[allowance.period] = allowance end
for _, period in ipairs({'minute', 'day'}) do
  if limit(period) > 0 then
    local allowance = present[period] or new_allowance(period, 0)
    allowance.limit = limit(period)
    allowances[#allowances + 1] = allowance
  end
end
pace.allowances = #allowances > 0 and allowances or nil
if not pace.allowances then redis.call('HDEL', KEY.limiter, 'allowances') end
save_pace(pace)
return string.format('%.17g', ceiling)
