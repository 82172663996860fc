-- Put in front of every script: numbers in hashes that change by what a script does. They are written at the end of the
-- script (counts.lua), once for each field and not for each job: key, field, sum.
local added = {}

local function add(key, field, by)
  local fields = added[key] or {}
  added[key] = fields
  fields[field] = (fields[field] or 0) + by
end

local function add_total(field, by) add(KEY.totals, field, by) end
