-- sign_off: a worker process ends by its own will. What it has fetched and not begun is announced to others at once.
-- KEYS: a key of the account.
-- ARGV: options `name`, `instance`.
-- Answer: how many leases it left.
-- Safe to repeat.
local name, instance, left = OPTIONS.name, OPTIONS.instance, 0
write_though_full()
if parse_worker(redis.call('HGET', KEY.workers, name)) == instance then remove_worker(name) end
local all = redis.call('HGETALL', KEY.leases)
for i = 1, #all, 2 do
  local lease = load_lease(all[i + 1])
  if lease.name == name and lease.instance == instance then
    lease.announced, lease.name, lease.instance = 0, NOBODY, NOBODY
    save_lease(all[i], lease)
    left = left + 1
  end
end
wake()
return left
