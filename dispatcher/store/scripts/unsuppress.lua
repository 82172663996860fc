-- unsuppress: takes numbers off the do-not-fax list.
-- KEYS: a key of the account.
-- ARGV: options `source` and `batch` (only entries of this source, and that a job of this batch proved; empty: all);
--       then the digits of up to 100 numbers.
-- Answer: how many were taken off.
-- Safe to repeat.
local removed = 0
for i = 2, #ARGV do
  local entry = load_suppression(ARGV[i])
  local matches = entry and (OPTIONS.source == '' or entry.source == OPTIONS.source)
    and (OPTIONS.batch == '' or string.match(entry.job or '', '^(%w+)%.') == OPTIONS.batch)
  if matches then removed = removed + remove_suppression(ARGV[i]) end
end
return removed
