-- Put in front of every script: the locks of numbers. A number has one call at a time, and rests after it.

-- Who calls a number (<job>/<attempt>) or `rest`, and until when that counts (ms). The key's own expiry only cleans up.
local function number_lock(hash)
  local stored = redis.call('GET', number_key(hash))
  if not stored then return nil end
  local holder, until_ms = string.match(stored, '^(%S+) (%d+)$')
  until_ms = tonumber(until_ms or 0)
  if until_ms > now_ms() then return holder, until_ms end
end

local function lock_number(hash, holder, life_ms)
  local until_ms = now_ms() + life_ms
  redis.call('SET', number_key(hash), holder .. ' ' .. text(until_ms), 'PX', text(life_ms + CLEAN_UP_MS))
end

local function free_number(job, holder, rest_ms)
  local hash = redis.call('HGET', KEY.locks, job)
  if not hash then return end
  redis.call('HDEL', KEY.locks, job)
  if number_lock(hash) ~= holder then return end
  if rest_ms > 0 then
    lock_number(hash, 'rest', rest_ms)
  else
    redis.call('DEL', number_key(hash))
  end
end
