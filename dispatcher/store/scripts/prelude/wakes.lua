-- Put in front of every script: what wakes schedulers that sleep (wakes.py).

-- Wakes schedulers, which sleep until the next entry that they know of and for a second at most (next_due.lua). Two
-- words wake two of them; one that is awake looks before it sleeps and needs none.
local function wake()
  redis.call('LPUSH', KEY.wake, 1, 1)
  redis.call('LTRIM', KEY.wake, 0, 3)
end

-- Whoever sleeps is woken by a time that comes sooner than all that were known. A batch that is being sent keeps the
-- schedulers awake.
local function lower_timer(batch, at_ms)
  local first = redis.call('ZRANGE', KEY.timers, 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', KEY.timers, 'LT', text(at_ms), batch)
  if at_ms - now_us() / US_PER_MS >= LONGEST_SLEEP_MS or (first and at_ms >= stored_number(first)) then return end
  local class = redis.call('HGET', batch_key(batch), 'class') or ''
  if not redis.call('ZSCORE', active_key(class), batch) then wake() end
end
