-- Put in front of every script: data that cannot be read stops the batch or the job that it belongs to, no other.

-- A stored number, or `otherwise` (0 when left out) where there is none, or none that can be ours.
local function stored_number(value, otherwise)
  local number = tonumber(value or '')
  if number and math.abs(number) <= MAX_NUMBER then return number end
  return otherwise or 0
end

-- Runs a function for one of many. Returns true and up to two results; false when it met data that it cannot use. A
-- server that takes no writes stops the whole script, as does a cluster that is down or moves the keys elsewhere.
local function alone(run, ...)
  local ok, first, second = pcall(run, ...)
  if ok then return true, first, second end
  local message = type(first) == 'table' and tostring(first.err) or tostring(first)
  for _, code in ipairs({'OOM', 'READONLY', 'MISCONF', 'NOREPLICAS', 'non local key', 'cluster is down'}) do
    if string.find(message, code, 1, true) then error(first, 0) end
  end
  return false
end
