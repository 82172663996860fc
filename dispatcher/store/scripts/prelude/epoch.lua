-- Put in front of the scripts that begin, settle and accept: the account's write epoch, in the hash epoch. It shows
-- that Redis has lost writes: after a failover to a replica that was behind, or when a server was restored.
-- Each of these scripts moves it by one. Option `seen_epoch` is the highest that its process has seen. A lower one in
-- the hash means that writes are gone: then the script changes nothing and answers {rolled_back, epoch, raised to}.
-- Otherwise it answers {done, epoch, raised to, time (ms), its own answer}. A script that answers nothing has changed
-- nothing that counts, and moves no epoch; a heartbeat only looks at it.
-- written_ms is when it moved last. raised_to is what it was set to when writes were lost last: a process that sees
-- another value than before drops the slots that it was granted until then (report_rollback.lua).

local function load_epoch()
  local write_epoch, raised_to = unpack(redis.call('HMGET', KEY.epoch, 'write_epoch', 'raised_to'))
  return tonumber(write_epoch or 0), tonumber(raised_to or 0)
end

local function with_epoch(verb, ending, moves)
  local write_epoch, raised_to = load_epoch()
  if write_epoch < OPTIONS.seen_epoch then return {'rolled_back', write_epoch, raised_to} end
  local answer, now = verb(), now_us() / US_PER_MS
  ending()
  if moves and answer then
    write_epoch = write_epoch + 1
    redis.call('HSET', KEY.epoch, 'write_epoch', text(write_epoch), 'written_ms', text(now))
  end
  return {'done', write_epoch, raised_to, now, answer}
end
