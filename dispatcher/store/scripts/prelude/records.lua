-- Put in front of every script: the records of jobs, whose layout codec.py describes, and the sets in which jobs in
-- flight wait.

local WATCH = {
  [LEASED] = KEY['watch:leased'],
  [SENDING] = KEY['watch:sending'],
  [ACCEPTED] = KEY['watch:accepted'],
}
-- A job that is sending waits here once its answer was unclear, or its send deadline has passed without an answer.
local UNCLEAR = KEY['watch:unclear']
-- The life of a draft begins anew with each change of it.
local function draft_changed(batch) redis.call('ZADD', KEY.drafts, text(now_ms()), batch) end

-- the final state of the waiting jobs of a batch, by the control of the batch
local ENDING = {cancelled = CANCELLED, expired = EXPIRED}

local function read_record(batch, row)
  local start = (row % BLOCK) * WIDTH
  return redis.call('GETRANGE', records_key(batch, row), start, start + WIDTH - 1)
end

local function write_record(batch, row, record)
  redis.call('SETRANGE', records_key(batch, row), (row % BLOCK) * WIDTH, record)
end

local function job_name(batch, row) return batch .. '.' .. text(row) end

local function parse_job(job)
  local batch, row = string.match(job, '^(%w+)%.(%d+)$')
  return batch, tonumber(row)
end

-- state, strikes, attempt, lease of a record; a job that is gone has none, and is no job
local function head(record)
  if #record < WIDTH then return VOID, 0, 0, 0 end
  local state, strikes, _, attempt, lease = struct.unpack('<BBHI4I4', record)
  return state, strikes, attempt, lease
end

-- The country code (bytes 3 and 4) never changes.
local function with_head(record, state, strikes, attempt, lease)
  return struct.pack('<BB', state, strikes) .. string.sub(record, 3, 4) .. struct.pack('<I4I4', attempt, lease)
    .. string.sub(record, 13)
end

-- Whether the record itself says that the attempt is being looked for: an unclear answer (flag 2), or a look-up so far.
local function is_unclear(record)
  return math.floor(string.byte(record, 21) / 2) % 2 == 1 or string.byte(record, 20) > 0
end

-- 1 for a doubled job (flag 1), else 0
local function doubled(record) return string.byte(record, 21) % 2 end

-- the recipient's country as a number (codec.py); 0 when it is not known
local function country_code(record)
  local low, high = string.byte(record, 3, 4)
  return low + 256 * high
end

-- What jobs are counted by: state, category and type, a byte each.
local function count_of(record) return string.sub(record, 1, 1) .. string.sub(record, 13, 14) end

-- state:category:type, the field of the counts hash
local function count_field(count) return table.concat({string.byte(count, 1, 3)}, ':') end
