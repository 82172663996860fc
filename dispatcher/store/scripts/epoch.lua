-- Put in front of the scripts that begin, settle and accept: the account's write epoch, in the hash bf:epoch. It shows that
-- Redis has lost writes: a failover to a replica that was behind, a server that was restored.
-- Each of these scripts moves it by one and is given the highest that its process has seen, as its last argument. A lower
-- one in the hash means that writes are gone: then the script changes nothing and answers {rolled_back, epoch, raised to}.
-- Otherwise it answers {done, epoch, raised to, time (ms), its own answer}. A verb that answers nothing has changed
-- nothing that counts, and moves no epoch; a heartbeat only looks at it.
-- written_ms is when it moved last. raised_to is what it was set to when writes were found lost last: a process that sees
-- another value than before drops the slots that it was granted until then (report_rollback.lua).
local given_epoch = tonumber(table.remove(ARGV))

local function load_epoch()
  local write_epoch, raised_to = unpack(redis.call('HMGET', 'bf:epoch', 'write_epoch', 'raised_to'))
  return tonumber(write_epoch or 0), tonumber(raised_to or 0)
end

local function with_epoch(verb, ending, moves)
  local write_epoch, raised_to = load_epoch()
  if write_epoch < given_epoch then return {'rolled_back', write_epoch, raised_to} end
  local answer, now = verb(), now_us() / 1000
  ending()
  if moves and answer then
    write_epoch = write_epoch + 1
    redis.call('HSET', 'bf:epoch', 'write_epoch', text(write_epoch), 'written_ms', text(now))
  end
  return {'done', write_epoch, raised_to, now, answer}
end
