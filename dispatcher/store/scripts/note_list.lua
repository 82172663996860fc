-- note_list: notes whether a list of the provider could be read. The provider is held when none could be for too long
-- while attempts are unclear, because nobody can find out what became of them. That hold ends when a list is read
-- again.
-- KEYS: a key of the account.
-- ARGV: options `readable`, `limit_ms` (time without a list that holds the provider), `hold_id`, `probes_ms` (times to
--       the first probe and between probes).
-- Answer: a ListNote: 1 when the hold is new, 2 when it has ended, else 0.
-- Safe to repeat.
local hold = load_hold('provider')
if OPTIONS.readable then
  redis.call('DEL', KEY.lists_fail)
  if not hold or hold.category ~= LISTS_FAIL then return 0 end
  end_hold('provider')
  return 2
end
local now = now_ms()
local since = stored_number(redis.call('GET', KEY.lists_fail), now)
-- a clock that was set back begins the time anew
since = math.min(since, now)
redis.call('SET', KEY.lists_fail, text(since))
local unclear = redis.call('ZCARD', UNCLEAR)
if now - since < OPTIONS.limit_ms or unclear == 0 then return 0 end
local minutes = math.floor((now - since) / MS_PER_MINUTE)
local cause = 'no list of faxes could be read for ' .. minutes .. ' minutes, '
  .. 'sends of unclear end that are looked for there: ' .. unclear
return open_hold(OPTIONS.hold_id, 'provider', LISTS_FAIL, cause, OPTIONS.probes_ms, now)
