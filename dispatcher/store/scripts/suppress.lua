-- suppress: puts numbers on the do-not-fax list. An entry of the same number is replaced, and keeps when it was added.
-- An import leaves the entries of people as they are: a later removal of the import must not remove who opted out.
-- KEYS: a key of the account.
-- ARGV: then for each of up to 100 numbers its digits and its entry (JSON).
-- Answer: how many of them were not on the list.
-- Safe to repeat.
local OF_PEOPLE = {manual = true, opt_out = true}
local added, names, fields, scores = 0, {}, {}, {}
for i = 2, #ARGV, 2 do names[#names + 1] = ARGV[i] end
local before = redis.call('HMGET', KEY.suppressions, unpack(names))
local ends, endless = {}, {}
for i, digits in ipairs(names) do
  local entry = cjson.decode(ARGV[2 * i + 1])
  local old = before[i] and parse_suppression(before[i])
  local active = old and is_active(old, nil, now_ms())
  if not active then
    added = added + 1
  elseif type(old.added_ms) == 'number' then
    entry.added_ms = old.added_ms
  end
  if not (active and entry.source == 'import' and OF_PEOPLE[old.source]) then
    entry.added_ms = entry.added_ms or now_ms()
    count_suppression(old, -1)
    count_suppression(entry, 1)
    fields[#fields + 1], fields[#fields + 2] = digits, cjson.encode(entry)
    scores[#scores + 1], scores[#scores + 2] = 0, digits
    if entry.expires_ms then
      ends[#ends + 1], ends[#ends + 2] = text(forget_at(entry)), digits
    else
      endless[#endless + 1] = digits
    end
  end
end
if #fields == 0 then return added end
redis.call('HSET', KEY.suppressions, unpack(fields))
redis.call('ZADD', KEY['suppressions:numbers'], unpack(scores))
if #ends > 0 then redis.call('ZADD', KEY['suppressions:ends'], unpack(ends)) end
if #endless > 0 then redis.call('ZREM', KEY['suppressions:ends'], unpack(endless)) end
return added
