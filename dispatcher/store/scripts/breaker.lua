-- breaker: holds the provider when too many of the last sends failed by its fault, or ended unclear. settle has noted
-- each of them with the number of sends made by then.
-- ARGV: sends to look back on, failures among them that hold the provider, times to the first probe and between probes
--       (JSON list, ms), id of the hold, sends to look back on for unclear ones, unclear ones that hold the provider.
-- Answer: 1 when the hold is new. Safe to repeat. While the provider is held, failures say nothing new.
local window, most = ARGV[1], ARGV[2]

-- The answers that came, as in "302 (7), none (3)"; none: no connection, or nothing came over it.
local function statuses()
  local counts, names = {}, {}
  for _, failure in ipairs(redis.call('ZRANGE', 'bf:breaker', 0, -1)) do
    local status = string.match(failure, ' (%w+)$') or 'none'
    if not counts[status] then names[#names + 1] = status end
    counts[status] = (counts[status] or 0) + 1
  end
  table.sort(names, function(one, other)
    if counts[one] ~= counts[other] then return counts[one] > counts[other] end
    return one < other
  end)
  for i, status in ipairs(names) do names[i] = status .. ' (' .. counts[status] .. ')' end
  return table.concat(names, ', ')
end

-- How many of the last so many sends are in a set; it forgets all others.
local function recent(key, sends)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(sends_made() - sends))
  return redis.call('ZCARD', key)
end

local failures, unclear = recent('bf:breaker', window), recent('bf:unclear_sends', ARGV[5])
if not load_hold('provider') and failures < tonumber(most) and unclear < tonumber(ARGV[6]) then return 0 end
local cause = failures .. ' of the last ' .. window .. ' sends brought no usable answer: ' .. statuses()
if failures < tonumber(most) then cause = unclear .. ' of the last ' .. ARGV[5] .. ' sends have an unclear end' end
local new = open_hold(ARGV[4], 'provider', 'provider_unavailable', cause, cjson.decode(ARGV[3]), math.floor(now_us() / 1000))
redis.call('UNLINK', 'bf:breaker', 'bf:unclear_sends')
return new
