-- open_hold: stops sending for a scope. A scope that is held already keeps its beginning and its probe time. Nothing is
-- held that has ended. A job that is held waits without a time.
-- KEYS: a key of the account.
-- ARGV: options `scope`, `category`, `cause`, `hold_id`, `probes_ms` (times to the first probe and between probes;
--       empty: until someone releases it), `batch` and `tag` (of the definition that a failure came from; empty: of
--       none). Nothing is held for what the batch does not send any more.
-- Answer: 1 when the hold is new.
-- Safe to repeat.
local scope = OPTIONS.scope
if OPTIONS.batch ~= '' and versions.is_changed(OPTIONS.batch, OPTIONS.tag) then return 0 end
local new = open_hold(OPTIONS.hold_id, scope, OPTIONS.category, OPTIONS.cause, OPTIONS.probes_ms, now_ms())
local batch, row = job_of(scope)
if new == 1 and batch then
  move_due(batch, text(row), read_record(batch, row), HELD_SCORE)
  tell_of_held_jobs(batch)
end
redis.call('UNLINK', failure_run_key(scope))
return new
