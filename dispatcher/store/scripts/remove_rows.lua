-- remove_rows: removes the keys of deleted batches in bounded steps: blocks from the last one on, then the rest.
-- KEYS: a key of the account.
-- ARGV: option `max_rows`. A batch counts as BATCH_ROWS for its keys outside of blocks.
-- Answer: {rows removed, batches removed, batches that are left}.
-- Safe to repeat. What a call that broke off has left is removed by the next one.
local removed, batches = 0, 0

local function rows_of(batch, block)
  local ok, bytes = alone(redis.call, 'STRLEN', part_key(batch, 'records:' .. block))
  return math.max(1, math.floor((ok and bytes or 0) / WIDTH))
end

-- In the index of all jobs, the rows become zeros. A piece whose time has ended must not come back.
local function remove_from_lookup_index(batch, block)
  local field = 'lookup:' .. block
  local piece, first, length = string.match(redis.call('HGET', batch_key(batch), field) or '', '^(%d+) (%d+) (%d+)$')
  if not piece then return end
  local key = lookup_piece_key(tonumber(piece))
  if redis.call('STRLEN', key) >= first + length then redis.call('SETRANGE', key, first, string.rep('\0', length)) end
  redis.call('HDEL', batch_key(batch), field)
end

local function remove_block(batch, block)
  alone(remove_from_lookup_index, batch, block)
  for _, part in ipairs(BLOCK_PARTS) do redis.call('UNLINK', part_key(batch, part .. ':' .. block)) end
end

local function remove_rest(batch)
  for _, country in ipairs(parked_countries(batch)) do forget_parked(batch, country) end
end

local function finish(batch)
  alone(remove_rest, batch)
  for _, part in ipairs(BATCH_PARTS) do redis.call('UNLINK', part_key(batch, part)) end
  redis.call('UNLINK', batch_key(batch))
  redis.call('ZREM', KEY.deleting, batch)
  batches = batches + 1
end

local function blocks_of(batch)
  return math.min(stored_number(redis.call('HGET', batch_key(batch), 'blocks')), MAX_BLOCKS)
end

-- Returns whether there is room for more.
local function step(batch)
  local ok, blocks = alone(blocks_of, batch)
  local block = ok and blocks > 0 and text(blocks - 1)
  local rows = block and rows_of(batch, block) or BATCH_ROWS
  if removed > 0 and removed + rows > OPTIONS.max_rows then return false end
  if block then
    remove_block(batch, block)
    redis.call('HSET', batch_key(batch), 'blocks', block)
  else
    finish(batch)
  end
  removed = removed + rows
  return removed < OPTIONS.max_rows
end

repeat
  local batch = redis.call('ZRANGE', KEY.deleting, 0, 0)[1]
until not batch or not step(batch)
return {removed, batches, redis.call('ZCARD', KEY.deleting)}
