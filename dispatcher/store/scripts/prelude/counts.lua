-- Put in front of every script: the counts of jobs, which move with each record. They are written at the end
-- of the script, once for each field and not once for each job.

-- Counts are changed at the end of a script, once for each field and not for each job: key, field, sum. Jobs that move
-- from one count to another are gathered first: batch, both counts, jobs. Then the batches are looked at that may have
-- ended by it.
local added, moved, ended = {}, {}, {}

local function add(key, field, by)
  local fields = added[key] or {}
  added[key] = fields
  fields[field] = (fields[field] or 0) + by
end

local function add_total(field, by) add(KEY.totals, field, by) end

local function move_jobs(from_state, to_state, jobs)
  add_total('jobs|' .. from_state, -jobs)
  add_total('jobs|' .. to_state, jobs)
end

-- Moves one job from the count of its old record to that of its new one.
local function move_count(batch, old, new)
  local moves, both = moved[batch] or {}, count_of(old) .. count_of(new)
  moved[batch] = moves
  moves[both] = (moves[both] or 0) + 1
end

-- Jobs that become final are added to the batch's sum and to the totals.
local function add_moves(batch, from, to, jobs)
  if from == to then return end
  local counts, old_state, new_state = part_key(batch, 'counts'), string.byte(from), string.byte(to)
  add(counts, count_field(from), -jobs)
  add(counts, count_field(to), jobs)
  move_jobs(old_state, new_state, jobs)
  if new_state >= FINAL and old_state < FINAL then
    add_total('final|' .. count_field(to), jobs)
    add(batch_key(batch), 'finals', jobs)
    ended[batch] = true
  end
end

-- Every script ends with this (lua.py). The last final job of a batch ends it, and then it cannot expire any more; a
-- count of nothing is left out.
local function write_counts()
  for batch, moves in pairs(moved) do
    for both, jobs in pairs(moves) do add_moves(batch, string.sub(both, 1, 3), string.sub(both, 4), jobs) end
  end
  for key, fields in pairs(added) do
    for field, by in pairs(fields) do
      local ok, count = by == 0, 1
      if by ~= 0 then ok, count = alone(redis.call, 'HINCRBY', key, field, text(by)) end
      if ok and count <= 0 and string.sub(key, -7) == ':counts' then redis.call('HDEL', key, field) end
    end
  end
  for batch in pairs(ended) do
    local finals, rows = unpack(redis.call('HMGET', batch_key(batch), 'finals', 'rows'))
    if stored_number(finals, -1) >= stored_number(rows, math.huge) then
      if redis.call('HSETNX', batch_key(batch), 'finished_ms', text(now_ms())) == 1 then release_documents(batch) end
      redis.call('ZREM', KEY.deadlines, batch)
      end_holds_of(batch)
    end
  end
end
