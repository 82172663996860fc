-- check_provider: holds the provider when too many of the last sends failed by its fault or ended unclear, or when a
-- few failed in a row and no other send was answered for some time. settle notes each of them with the number of sends
-- by then. While the provider is held, failures say nothing new.
-- KEYS: a key of the account.
-- ARGV: options `sends` and `failures` (failures among so many sends that hold the provider), `unclear_sends` and
--       `unclear` (the same for unclear ends), `run` (failures in a row that hold it) and `quiet_ms` (once there was no
--       answer for so long), `hold_id`, `probes_ms` (times to the first probe and between probes).
-- Answer: 1 when the hold is new.
-- Safe to repeat.

-- The answers that came, as in "302 (7), none (3)"; none: no connection, or nothing came over it.
local function statuses()
  local counts, names = {}, {}
  for _, failure in ipairs(redis.call('ZRANGE', KEY.breaker, 0, -1)) do
    local status = string.match(failure, ' (%w+)$') or 'none'
    if not counts[status] then names[#names + 1] = status end
    counts[status] = (counts[status] or 0) + 1
  end
  table.sort(names, function(left, right)
    if counts[left] ~= counts[right] then return counts[left] > counts[right] end
    return left < right
  end)
  for i, status in ipairs(names) do names[i] = status .. ' (' .. counts[status] .. ')' end
  return table.concat(names, ', ')
end

-- How many of the last so many sends are in a set; it forgets all others.
local function recent(key, sends)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(sends_made() - sends))
  return redis.call('ZCARD', key)
end

-- How many failures in a row say that the provider is down, because it has answered nobody for some time; 0 when too
-- few do. Two of one job are enough.
local function failures_while_quiet()
  local at_ms, sends = unpack(redis.call('HMGET', KEY.answered, 'at_ms', 'sends'))
  local now, answered_ms, in_a_row, jobs, twice = now_ms(), stored_number(at_ms), 0, {}, false
  if now - OPTIONS.quiet_ms < answered_ms and answered_ms <= now then return 0 end
  for _, failure in ipairs(redis.call('ZRANGEBYSCORE', KEY.breaker, '(' .. (sends or 0), '+inf')) do
    local job = string.match(failure, '^(.-)/')
    in_a_row, twice, jobs[job] = in_a_row + 1, twice or jobs[job], true
  end
  return (twice or in_a_row >= OPTIONS.run) and in_a_row or 0
end

-- The job that all failures came from; nil when there are several.
local function only_job()
  local only
  for _, failure in ipairs(redis.call('ZRANGE', KEY.breaker, 0, -1)) do
    local job = string.match(failure, '^(.-)/')
    if only and only ~= job then return nil end
    only = job
  end
  return only
end

local failures, unclear = recent(KEY.breaker, OPTIONS.sends), recent(KEY.unclear_sends, OPTIONS.unclear_sends)
local in_a_row = failures_while_quiet()
local too_many, too_unclear = failures >= OPTIONS.failures, unclear >= OPTIONS.unclear
if not load_hold('provider') and not too_many and not too_unclear and in_a_row == 0 then
  return 0
end
local cause = failures .. ' of the last ' .. OPTIONS.sends .. ' sends brought no usable answer: ' .. statuses()
if not too_many and in_a_row > 0 then
  cause = in_a_row .. ' sends in a row brought no usable answer, and no other was answered for long: ' .. statuses()
elseif not too_many then
  cause = unclear .. ' of the last ' .. OPTIONS.unclear_sends .. ' sends have an unclear end'
end
local id, category, probes_ms = OPTIONS.hold_id, 'provider_unavailable', OPTIONS.probes_ms
local new = open_hold(id, 'provider', category, cause, probes_ms, now_ms(), only_job())
redis.call('UNLINK', KEY.breaker, KEY.unclear_sends)
return new
