-- breaker: holds the provider when too many of the last sends failed by its fault or ended unclear, or when a few failed
-- in a row and no other send was answered for some time. settle has noted each with the number of sends made by then.
-- ARGV: sends to look back on, failures among them that hold the provider, times to the first probe and between probes
--       (JSON list, ms), id of the hold, sends to look back on for unclear ones, unclear ones that hold the provider,
--       failures in a row that hold it, time without an answer from which they do (ms).
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

-- How many failures in a row say that the provider is down, because it has answered nobody for some time: so many, or two
-- of one job.
local function failures_while_quiet()
  local at_ms, sends = unpack(redis.call('HMGET', 'bf:answered', 'at_ms', 'sends'))
  local now, at, in_a_row, jobs, twice = now_ms(), tonumber(at_ms or 0), 0, {}, false
  if now - tonumber(ARGV[8]) < at and at <= now then return 0 end
  for _, failure in ipairs(redis.call('ZRANGEBYSCORE', 'bf:breaker', '(' .. (sends or 0), '+inf')) do
    local job = string.match(failure, '^(.-)/')
    in_a_row, twice, jobs[job] = in_a_row + 1, twice or jobs[job], true
  end
  return (twice or in_a_row >= tonumber(ARGV[7])) and in_a_row or 0
end

-- The job that all failures came from; nil when there are several.
local function only_job()
  local only
  for _, failure in ipairs(redis.call('ZRANGE', 'bf:breaker', 0, -1)) do
    local job = string.match(failure, '^(.-)/')
    if only and only ~= job then return nil end
    only = job
  end
  return only
end

local failures, unclear = recent('bf:breaker', window), recent('bf:unclear_sends', ARGV[5])
local in_a_row = failures_while_quiet()
if not load_hold('provider') and failures < tonumber(most) and unclear < tonumber(ARGV[6]) and in_a_row == 0 then
  return 0
end
local cause = failures .. ' of the last ' .. window .. ' sends brought no usable answer: ' .. statuses()
if failures < tonumber(most) and in_a_row > 0 then
  cause = in_a_row .. ' sends in a row brought no usable answer, and no other was answered for long: ' .. statuses()
elseif failures < tonumber(most) then
  cause = unclear .. ' of the last ' .. ARGV[5] .. ' sends have an unclear end'
end
local series, category = cjson.decode(ARGV[3]), 'provider_unavailable'
local new = open_hold(ARGV[4], 'provider', category, cause, series, now_ms(), only_job())
redis.call('UNLINK', 'bf:breaker', 'bf:unclear_sends')
return new
