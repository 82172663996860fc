-- breaker: holds the provider when too many of the last sends failed by its fault. settle has noted each such failure
-- with the number of sends made by then.
-- ARGV: sends to look back on, failures among them that hold the provider, times to the first probe and between probes
--       (JSON list, ms), id of the hold.
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

if not load_hold('provider') then
  redis.call('ZREMRANGEBYSCORE', 'bf:breaker', '-inf', text(sends_made() - window))
  if redis.call('ZCARD', 'bf:breaker') < tonumber(most) then return 0 end
end
local cause = redis.call('ZCARD', 'bf:breaker') .. ' of the last ' .. window .. ' sends brought no usable answer: ' .. statuses()
local new = open_hold(ARGV[4], 'provider', 'provider_unavailable', cause, cjson.decode(ARGV[3]), math.floor(now_us() / 1000))
redis.call('UNLINK', 'bf:breaker')
return new
