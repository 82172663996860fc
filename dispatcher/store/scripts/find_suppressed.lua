-- find_suppressed: which of up to 1,000 numbers must not be faxed now.
-- KEYS: a key of the account.
-- ARGV: option `ignored` (a source that does not count, or empty); then the numbers (packed doubles).
-- Answer: for each such number its position (from 0) and its entry.
-- Safe to repeat: it only reads.
local numbers, found, now = ARGV[2], {}, now_ms()
if redis.call('EXISTS', KEY.suppressions) == 0 then return found end
local CHUNK, names = 500, {}
for i = 1, #numbers / 8 do names[i] = text(struct.unpack('<d', numbers, (i - 1) * 8 + 1)) end
for i = 1, #names, CHUNK do
  local stored = redis.call('HMGET', KEY.suppressions, unpack(names, i, math.min(#names, i + CHUNK - 1)))
  for position, entry in ipairs(stored) do
    if entry and is_active(parse_suppression(entry), OPTIONS.ignored, now) then
      found[#found + 1], found[#found + 2] = i + position - 2, entry
    end
  end
end
return found
