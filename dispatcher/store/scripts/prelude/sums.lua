-- Put in front of every script: numbers in hashes that change by what a script does. They are written at the end of the
-- script (counts.lua), once for each field and not for each job: key, field, sum.
local added = {}

local function add(key, field, by)
  local fields = added[key] or {}
  added[key] = fields
  fields[field] = (fields[field] or 0) + by
end

local function add_total(field, by) add(KEY.totals, field, by) end

-- Adds equal durations to a histogram (core/histograms.py): to the counter of their bucket, and to the sum.
local function add_durations(name, bounds, ms, times)
  local i = 1
  while bounds[i] and ms > bounds[i] * US_PER_S / US_PER_MS do i = i + 1 end
  add_total(name .. '|' .. (bounds[i] or '+Inf'), times)
  add_total(name .. '|sum_us', math.max(0, ms) * US_PER_MS * times)
end
