-- Put in front of the scripts that make or use versions of a batch's definition. core/versions.py is the reference
-- implementation.
-- The hash of a batch has the fields `version`, `definition_tag` (which differs between all versions) and
-- `version_starts`, "<version>:<row> ...": the first row of which no job had been leased when the version was made. All
-- are missing while there is one version. The hash versions:<block> has "<attempt>:<version> ..." of rows: from this
-- attempt on, the job was sent by the version. Without an entry the row says it.

local versions = {}

-- Whether a batch sends something else than by the definition with this tag.
function versions.is_changed(batch, tag)
  return (redis.call('HGET', batch_key(batch), 'definition_tag') or '') ~= tag
end

-- The version of the attempts of a row that have no entry.
function versions.first(starts, row)
  local found = 1
  for version, first in string.gmatch(starts or '', '(%d+):(%d+)') do
    if tonumber(first) <= row then found = tonumber(version) end
  end
  return found
end

-- Notes by which version an attempt is sent, where that does not follow from what is known.
function versions.note(batch, row, attempt, version, starts)
  local key = block_key(batch, 'versions', row)
  local before = redis.call('HGET', key, text(row))
  local last = before and stored_number(string.match(before, ':(%d+)$')) or versions.first(starts, row)
  if last == version then return end
  local entry = text(attempt) .. ':' .. text(version)
  redis.call('HSET', key, text(row), before and (before .. ' ' .. entry) or entry)
end

-- The starts with a new one, which takes the place of one from the same row: nothing was sent by that.
function versions.with_start(starts, version, row)
  local kept = {}
  for known, first in string.gmatch(starts or '', '(%d+):(%d+)') do
    if tonumber(first) ~= row then kept[#kept + 1] = known .. ':' .. first end
  end
  kept[#kept + 1] = text(version) .. ':' .. text(row)
  return table.concat(kept, ' ')
end
