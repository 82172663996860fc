-- sign_off: a worker process ends by its own will. What it has fetched and not begun is announced to others at once.
-- ARGV: name, instance. Answer: leases that it left. Safe to repeat.
local name, instance, left = ARGV[1], ARGV[2], 0
write_though_full()
if parse_worker(redis.call('HGET', 'bf:workers', name)) == instance then remove_worker(name) end
local all = redis.call('HGETALL', 'bf:leases')
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
