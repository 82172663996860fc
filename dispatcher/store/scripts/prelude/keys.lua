-- Put in front of every script: the names of keys. All keys of an account start with the same prefix, which a script
-- takes from its first key. keys.py builds the same names, and says what each key holds and how long.

local PREFIX = string.match(KEYS[1] or '', '^bf:{[%l%d-]+}:')
if not PREFIX then error('the first key of a script has to be a key of an account, such as "bf:{default}:epoch"') end

-- The keys without an id in their name, as in KEY.holds.
local KEY = setmetatable({}, {__index = function(keys, name)
  keys[name] = PREFIX .. name
  return keys[name]
end})

local function active_key(class) return PREFIX .. 'active:' .. class end
local function lease_key(id) return PREFIX .. 'lease:' .. id end
local function begun_key(call_id) return PREFIX .. 'begun:' .. call_id end
local function number_key(hash) return PREFIX .. 'number:' .. hash end
local function dead_area_key(area) return PREFIX .. 'dead_area:' .. area end
local function failure_run_key(scope) return PREFIX .. 'strikes:' .. scope end
-- batches that wait for the end of the hold of a scope
local function stopped_batches_key(scope) return PREFIX .. 'parked:' .. scope end
local function lookup_piece_key(number) return PREFIX .. 'lookup:' .. text(number) end
local function document_key(sha) return PREFIX .. 'document:' .. sha end
local function document_users_key(sha) return document_key(sha) .. ':users' end
-- batches that were told that its hold stops them
local function document_told_key(sha) return document_key(sha) .. ':told' end
local function webhook_key(endpoint) return PREFIX .. 'webhook:' .. endpoint end
local function webhook_deliveries_key(endpoint) return webhook_key(endpoint) .. ':deliveries' end
-- what is kept of a deleted batch that has sent something
local function sent_sketch_key(batch) return PREFIX .. 'sent:' .. batch end
local function batch_key(batch) return PREFIX .. 'batch:' .. batch end
local function part_key(batch, name) return PREFIX .. 'batch:' .. batch .. ':' .. name end

local function block_key(batch, name, row) return part_key(batch, name .. ':' .. text(math.floor(row / BLOCK))) end

-- The keys of records are needed for each job, so they are built once for each block.
local known_keys = {}
local function records_key(batch, row)
  local block = math.floor(row / BLOCK)
  local keys = known_keys[batch] or {}
  known_keys[batch] = keys
  keys[block] = keys[block] or part_key(batch, 'records:' .. text(block))
  return keys[block]
end
