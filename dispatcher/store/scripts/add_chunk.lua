-- add_chunk: stores up to 1,000 recipients of a draft as one block, and the refused rows between them.
-- KEYS: a key of the account.
-- ARGV: options `batch`, `upload`, `first_line`, `last_line`, `recipients` and `refused` (numbers of rows), `reasons`
--       (rows refused for each reason), `checked` (the numbers were compared with the do-not-fax list), `lookup_ms`
--       (how long jobs can be looked up); then the numbers (packed doubles), the country codes (packed, two bytes
--       each), the block (compressed), the keyed hashes of the numbers, the rows of the index of all jobs
--       (lookup_index.py), and chunks of up to 1,000 refused rows (compressed).
-- Answer: {status, last line stored of this upload, positions of duplicates...}. The status is a ChunkStatus: stored,
-- repeat, closed (no draft any more), missing, gap (the chunk does not begin behind the last line that is stored), or
-- unchecked (there is a do-not-fax list, and the numbers were not compared with it).
-- Safe to repeat: a chunk whose last line is stored already answers repeat.
local batch, upload, first, last = OPTIONS.batch, OPTIONS.upload, OPTIONS.first_line, OPTIONS.last_line
local recipients, refused = OPTIONS.recipients, OPTIONS.refused
local numbers, countries, block, hashes, lookup_rows = unpack(ARGV, 2, 6)
local key, uploads = batch_key(batch), part_key(batch, 'uploads')

local control = redis.call('HGET', key, 'control')
if not control then return {'missing', 0} end
local progress = redis.call('HGET', uploads, upload) or '0:0:0:0'
local lines, accepted, refusals, doubles = string.match(progress, '^(%d+):(%d+):(%d+):(%d+)$')
lines = tonumber(lines)
if last <= lines then return {'repeat', lines} end
if control ~= 'draft' then return {'closed', lines} end
if first ~= lines + 1 then return {'gap', lines} end
if not OPTIONS.checked and recipients > 0 and redis.call('EXISTS', KEY.suppressions) == 1 then
  return {'unchecked', lines}
end

-- Which of the numbers are in the batch already, in few calls: a call each would take most of this script's time.
local CHUNK = 500
local function known_numbers(seen, names)
  local known = {}
  for i = 1, #names, CHUNK do
    local there = redis.call('SMISMEMBER', seen, unpack(names, i, math.min(#names, i + CHUNK - 1)))
    for position, is_known in ipairs(there) do known[names[i + position - 1]] = is_known == 1 or nil end
  end
  return known
end

local function remember(seen, names)
  for i = 1, #names, CHUNK do redis.call('SADD', seen, unpack(names, i, math.min(#names, i + CHUNK - 1))) end
end

-- Where the rows of a block stand is kept with the batch: with it, they are removed from the index too.
local function add_to_lookup_index(first_row)
  local number = tonumber(redis.call('GET', KEY.lookup) or redis.call('INCR', KEY.lookup))
  -- a damaged number does not stop a list: its jobs are missing in the index, and the doctor names the number
  if not number or number < 1 or number > 2^53 or number % 1 ~= 0 then return end
  local key = lookup_piece_key(number)
  local size = redis.call('APPEND', key, struct.pack('<HI', recipients, first_row) .. batch .. '\0' .. lookup_rows)
  local place = text(number) .. ' ' .. text(size - #lookup_rows) .. ' ' .. text(#lookup_rows)
  redis.call('HSET', batch_key(batch), 'lookup:' .. text(first_row / BLOCK), place)
  redis.call('PEXPIRE', key, text(OPTIONS.lookup_ms + CLEAN_UP_MS))
  if size >= PIECE_BYTES then redis.call('INCR', KEY.lookup) end
end

local answer, records, jobs, jobs_to = {'stored', last}, {}, 0, {}
if recipients > 0 then
  local seen, n = part_key(batch, 'seen'), redis.call('HGET', key, 'blocks')
  local names, empty = {}, string.rep('\0', WIDTH - 4)
  local void, waiting = string.char(VOID, 0), string.char(WAITING, 0)
  for i = 1, recipients do names[i] = text(struct.unpack('<d', numbers, (i - 1) * 8 + 1)) end
  local known = known_numbers(seen, names)
  for i, name in ipairs(names) do
    local country = string.sub(countries, 2 * i - 1, 2 * i)
    if known[name] then
      answer[#answer + 1] = i - 1
      records[i] = void
    else
      known[name], jobs, records[i] = true, jobs + 1, waiting
      jobs_to[country] = (jobs_to[country] or 0) + 1
    end
    records[i] = records[i] .. country .. empty
  end
  remember(seen, names)
  redis.call('SET', key .. ':block:' .. n, block)
  redis.call('SET', key .. ':records:' .. n, table.concat(records))
  if redis.call('STRLEN', part_key(batch, 'hashes')) < MAX_HASHES then
    redis.call('APPEND', part_key(batch, 'hashes'), hashes)
  end
  if lookup_rows ~= '' then add_to_lookup_index(n * BLOCK) end
  for country, more in pairs(jobs_to) do
    redis.call('HINCRBY', part_key(batch, 'countries'), country, more)
    -- its counters exist before the first call: a counter that begins at 1 shows no increase
    local low, high = string.byte(country, 1, 2)
    for _, result in ipairs({'delivered', 'failed'}) do
      redis.call('HSETNX', KEY.totals, 'countries|' .. text(low + 256 * high) .. '|' .. result, 0)
    end
  end
  redis.call('HINCRBY', key, 'blocks', 1)
  redis.call('HINCRBY', key, 'rows', jobs)
  redis.call('HINCRBY', key, 'unstarted', jobs)
  redis.call('HINCRBY', key, 'duplicates', recipients - jobs)
  if jobs > 0 then
    redis.call('HINCRBY', part_key(batch, 'counts'), WAITING .. ':0:0', jobs)
    redis.call('HINCRBY', KEY.totals, 'jobs|' .. WAITING, jobs)
  end
end
if refused > 0 then
  redis.call('RPUSH', part_key(batch, 'refused'), unpack(ARGV, 7))
  redis.call('HINCRBY', key, 'refused', refused)
  for reason, rows in pairs(OPTIONS.reasons) do redis.call('HINCRBY', part_key(batch, 'reasons'), reason, rows) end
  for _, reason in ipairs(APART) do
    local rows = OPTIONS.reasons[reason]
    if rows then redis.call('HINCRBY', uploads, upload .. '|' .. reason, rows) end
  end
end
redis.call('HINCRBY', key, 'lines', recipients + refused)
draft_changed(batch)
redis.call('HSET', uploads, upload, string.format('%d:%d:%d:%d', last, accepted + jobs, refusals + refused,
  doubles + recipients - jobs))
return answer
