-- Put in front of the scripts that park rows of a held country or take them back: a bitmap for each batch and country,
-- in which a bit is a row. A parked row waits without a time; codec.py has the codes of countries.

local function country_name(code)
  if code >= NO_COUNTRY_CODE then return '001' end
  return string.char(65 + math.floor((code - 1) / LETTERS), 65 + (code - 1) % LETTERS)
end

local function country_scope(country) return scope_of('country', country) end
local function parked_rows_key(batch, country) return part_key(batch, 'parked:' .. country) end

-- The batch has rows that wait for the hold of this country: its end wakes the batch.
local function note_parked(batch, country)
  redis.call('SADD', part_key(batch, 'parked'), country)
  redis.call('SADD', stopped_batches_key(country_scope(country)), batch)
end

-- At most 1,000 rows, each once. Bytes and not bits are read and written: neighbours share one.
local function park(batch, country, rows)
  local key, bytes, masks, get, set = parked_rows_key(batch, country), {}, {}, {}, {}
  for _, row in ipairs(rows) do
    local bit_at = row % 8
    local byte = (row - bit_at) / 8
    if not masks[byte] then masks[byte], bytes[#bytes + 1] = 0, byte end
    masks[byte] = masks[byte] + 2 ^ (7 - bit_at)
  end
  for _, byte in ipairs(bytes) do
    local n = #get
    get[n + 1], get[n + 2], get[n + 3] = 'GET', 'u8', '#' .. byte
  end
  local before = redis.call('BITFIELD', key, unpack(get))
  for i, byte in ipairs(bytes) do
    local n = #set
    set[n + 1], set[n + 2], set[n + 3], set[n + 4] = 'SET', 'u8', '#' .. byte, bit.bor(before[i], masks[byte])
  end
  redis.call('BITFIELD', key, unpack(set))
  note_parked(batch, country)
end

local function forget_parked(batch, country)
  redis.call('UNLINK', parked_rows_key(batch, country))
  redis.call('SREM', part_key(batch, 'parked'), country)
  redis.call('SREM', stopped_batches_key(country_scope(country)), batch)
end

-- A bitmap without a row is none. No row before that byte is parked.
local function forget_if_empty(batch, country, byte)
  if redis.call('BITPOS', parked_rows_key(batch, country), 1, byte) < 0 then forget_parked(batch, country) end
end

-- Takes one row out again. Returns how many that were.
local function unpark_row(batch, country, row)
  local before = redis.call('SETBIT', parked_rows_key(batch, country), row, 0)
  forget_if_empty(batch, country, 0)
  return before
end

-- A row that waits no more, or for a time of its own, is parked no more.
local function leave_parked(batch, row, record)
  local code = country_code(record)
  local country = code > 0 and country_name(code)
  local is_parked = country and redis.call('GETBIT', parked_rows_key(batch, country), row) == 1
  if is_parked then unpark_row(batch, country, row) end
end

-- Takes rows out again, the first ones first. Returns them.
local function take_parked(batch, country, most)
  local key, rows, from = parked_rows_key(batch, country), {}, 0
  while #rows < most do
    local row = redis.call('BITPOS', key, 1, from)
    if row < 0 then break end
    redis.call('SETBIT', key, row, 0)
    rows[#rows + 1], from = row, math.floor(row / 8)
  end
  forget_if_empty(batch, country, from)
  return rows
end

local function parked_countries(batch)
  local countries = redis.call('SMEMBERS', part_key(batch, 'parked'))
  table.sort(countries)
  return countries
end
