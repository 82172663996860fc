-- The server's time, read once in each run of a script, and numbers as text.

local time_us
local function now_us()
  if time_us then return time_us end
  local t = redis.call('TIME')
  time_us = t[1] * US_PER_S + t[2]
  return time_us
end

local function now_ms() return math.floor(now_us() / US_PER_MS) end

-- A number as a whole one, in digits; numbers in arguments of commands are slower.
local function text(number) return string.format('%d', math.floor(number + 0.5)) end
