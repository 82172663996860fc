-- Put in front of settle: what the end of a call says of its number. core/reference/dead_numbers.py is the reference
-- implementation.

-- Calls that have ended, those of this script included.
local calls_before, new_calls = nil, 0
local function calls_ended()
  calls_before = calls_before or stored_number(redis.call('GET', KEY.calls))
  return calls_before + new_calls
end

local function write_calls()
  if new_calls > 0 then redis.call('INCRBY', KEY.calls, text(new_calls)) end
end

-- Why the list or the network is at fault and not the number; nil while few numbers are dead.
local function too_many_dead(dead, attempt, now)
  local key = dead_area_key(dead.area)
  redis.call('ZADD', KEY.dead_calls, text(calls_ended()), attempt)
  redis.call('ZREMRANGEBYSCORE', KEY.dead_calls, '-inf', text(calls_ended() - dead.calls))
  redis.call('ZADD', key, text(now), dead.number)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now - dead.area_ms))
  redis.call('PEXPIRE', key, text(dead.area_ms + CLEAN_UP_MS))
  local in_calls, in_area = redis.call('ZCARD', KEY.dead_calls), redis.call('ZCARD', key)
  if in_calls <= dead.allowed and in_area < dead.area_numbers then return nil end
  redis.call('UNLINK', KEY.dead_calls, key)
  local what = in_calls .. ' of the last ' .. dead.calls .. ' calls ended at numbers that'
  if in_calls <= dead.allowed then
    what = in_area .. ' numbers that begin with +' .. dead.area .. ' and were called lately'
  end
  return what .. ' are not in operation: check the numbers of the list, then release the hold'
end

-- Whether the batch is held for its numbers, now or by this call. Somebody who has released such a hold has looked.
local function is_held_for_numbers(dead, batch, attempt, now)
  if redis.call('HGET', batch_key(batch), 'bad_numbers') == 'accepted' then return false end
  local scope = scope_of('batch', batch)
  local hold = load_hold(scope)
  if hold and hold.category == BAD_NUMBERS then return true end
  local cause = too_many_dead(dead, attempt, now)
  if cause then open_hold(string.sub(redis.sha1hex(attempt), 1, 16), scope, BAD_NUMBERS, cause, {}, now) end
  return cause ~= nil
end

-- Adds a number that a call has proved dead. An entry of another source stays as it is while it counts.
local function add_dead_number(dead, batch, job, attempt, now)
  if is_held_for_numbers(dead, batch, attempt, now) then return add_total('dead_numbers|not_added', 1) end
  local before = load_suppression(dead.number)
  if before and before.source ~= DEAD_NUMBER and is_active(before, nil, now) then return end
  local proved = before and before.source == DEAD_NUMBER
  if proved and (before.job == job or not before.expires_ms) then return end
  local entry = {source = DEAD_NUMBER, reason = dead.reason, job = job, added_ms = now}
  if not proved then entry.expires_ms = now + dead.life_ms end
  save_suppression(dead.number, entry)
  add_total('dead_numbers|added', 1)
end

-- A number that takes a fax is not dead.
local function remove_dead_number(digits)
  local entry = load_suppression(digits)
  if entry and entry.source == DEAD_NUMBER then remove_suppression(digits) end
end

local function note_call(call, batch, job, attempt, now)
  new_calls = new_calls + 1
  if call.dead then add_dead_number(call.dead, batch, job, attempt, now) end
  if call.delivered then remove_dead_number(call.delivered) end
end
