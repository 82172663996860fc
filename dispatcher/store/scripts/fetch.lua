-- fetch: a worker process takes the jobs of a lease; from then on the lease ends with the process.
-- KEYS: a key of the account.
-- ARGV: option `lease_id`.
-- Answer: JSON {"number": n, "jobs": [...], "probes": {scope: id of the hold}}, or nil when the lease is over, was
-- begun, or another process has it.
-- Safe to repeat. A process that is no worker only reads.
local id = OPTIONS.lease_id
local lease = load_lease(redis.call('HGET', KEY.leases, id))
if not lease then return false end
if worker_name then
  local mine = lease.name == worker_name and lease.instance == worker_instance
  if not is_registered or not (mine or lease.name == NOBODY) then return false end
  if not mine then
    write_though_full()
    lease.name, lease.instance = worker_name, worker_instance
    save_lease(id, lease)
  end
end
return redis.call('GET', lease_key(id))
