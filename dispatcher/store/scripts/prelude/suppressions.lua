-- Put in front of the scripts that read or change the do-not-fax list. An entry is JSON under the digits of its number:
-- source, added_ms, and where they say something reason, job and expires_ms. core/suppressions.py describes them.

-- One that cannot be read still stops its number, until somebody removes it.
local function parse_suppression(stored)
  local ok, entry = pcall(cjson.decode, stored)
  local readable = ok and type(entry) == 'table' and type(entry.source) == 'string'
    and (entry.expires_ms == nil or type(entry.expires_ms) == 'number')
  return readable and entry or {source = 'unreadable'}
end

local function load_suppression(digits)
  local stored = redis.call('HGET', KEY.suppressions, digits)
  return stored and parse_suppression(stored) or nil
end

-- Whether the number must not be faxed now, by a batch that ignores a source (or nil).
local function is_active(entry, ignored, now)
  return entry.source ~= ignored and not (entry.expires_ms and entry.expires_ms <= now)
end

-- A proof is remembered after its entry has expired: a second one by then counts for good.
local function forget_at(entry)
  return entry.expires_ms + (entry.source == DEAD_NUMBER and PROOF_MEMORY_MS or 0)
end

-- Entries are counted by source for the metrics. One that cannot be read stays counted as what it was.
local function count_suppression(entry, by)
  if entry and entry.source ~= 'unreadable' then add_total('suppressions|' .. entry.source, by) end
end

local function save_suppression(digits, entry)
  count_suppression(load_suppression(digits), -1)
  count_suppression(entry, 1)
  redis.call('HSET', KEY.suppressions, digits, cjson.encode(entry))
  redis.call('ZADD', KEY['suppressions:numbers'], 0, digits)
  if entry.expires_ms then
    redis.call('ZADD', KEY['suppressions:ends'], text(forget_at(entry)), digits)
  else
    redis.call('ZREM', KEY['suppressions:ends'], digits)
  end
end

local function remove_suppression(digits)
  count_suppression(load_suppression(digits), -1)
  redis.call('ZREM', KEY['suppressions:numbers'], digits)
  redis.call('ZREM', KEY['suppressions:ends'], digits)
  return redis.call('HDEL', KEY.suppressions, digits)
end
