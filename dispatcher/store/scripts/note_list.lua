-- note_list: notes whether a list of the provider could be read. The provider is held when none could be for too long
-- while attempts are unclear, because nobody can find out what became of them; that hold ends when a list is read again.
-- ARGV: 1 when it could be read, time without a list that holds the provider (ms), times to the first probe and between
--       probes (JSON list, ms), id of the hold.
-- Answer: 1 when the hold is new, 2 when it has ended. Safe to repeat.
local hold = load_hold('provider')
if ARGV[1] == '1' then
  redis.call('DEL', 'bf:lists_fail')
  if not hold or hold.category ~= LISTS_FAIL then return 0 end
  end_hold('provider')
  return 2
end
local now = now_ms()
local since = tonumber(redis.call('GET', 'bf:lists_fail') or now)
-- a clock that was set back begins the time anew
since = math.min(since, now)
redis.call('SET', 'bf:lists_fail', text(since))
local unclear = redis.call('ZCARD', UNCLEAR)
if now - since < tonumber(ARGV[2]) or unclear == 0 then return 0 end
local cause = 'no list of faxes could be read for ' .. math.floor((now - since) / 60000) .. ' minutes, sends of unclear '
  .. 'end that are looked for there: ' .. unclear
return open_hold(ARGV[4], 'provider', LISTS_FAIL, cause, cjson.decode(ARGV[3]), now)
