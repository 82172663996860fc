-- Put in front of the scripts that record what a batch sends, so that later mailings are compared with it. Options:
-- `content` (digest of what is sent), `last` (the last start of it that this one was compared with), `life_ms` (how
-- long later ones are compared), `until_ms` (until when the starts that were looked at are compared).

local function starts_key() return PREFIX .. 'starts:' .. OPTIONS.content end

-- Whether no other batch of the content was started since the comparison.
local function is_last_start() return (redis.call('LINDEX', starts_key(), -1) or '') == OPTIONS.last end

-- A start is recorded in the script that carries it out: of two at the same time, one is refused and sees the other.
local function record_start(batch, sketch, start_at)
  local now, key = now_ms(), starts_key()
  local until_ms = math.max(now, start_at) + OPTIONS.life_ms
  redis.call('RPUSH', key, batch .. ' ' .. text(until_ms))
  redis.call('LTRIM', key, -STARTS_KEPT, -1)
  redis.call('PEXPIRE', key, text(math.max(until_ms, OPTIONS.until_ms) - now + CLEAN_UP_MS))
  redis.call('SET', part_key(batch, 'hashes'), sketch, 'PX', text(until_ms - now + CLEAN_UP_MS))
end
