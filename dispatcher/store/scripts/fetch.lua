-- fetch: a worker process takes the jobs of a lease; from then on the lease ends with the process.
-- KEYS: a key of the account.
-- ARGV: option `lease_id`.
-- Answer: the JSON of the lease as `claim` made it, then record, history and long fax id of each job; nil when the
-- lease is over, was begun, or another process has it.
-- Safe to repeat. A process that is no worker only reads.
local OTHER_TYPE = 1

-- Runs a command that reads. A key of another type is told as a number, which no value is.
local function read(...)
  local value = redis.pcall(...)
  return type(value) == 'table' and OTHER_TYPE or value
end

local function stored_values(job)
  local batch, row = parse_job(job)
  if not batch then return {'', '', ''} end
  local first = (row % BLOCK) * WIDTH
  return {
    read('GETRANGE', records_key(batch, row), first, first + WIDTH - 1),
    read('HGET', block_key(batch, 'history', row), text(row)) or '',
    read('HGET', block_key(batch, 'long_ids', row), text(row)) or '',
  }
end

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
local content = redis.call('GET', lease_key(id))
local ok, stored = pcall(cjson.decode, content or '')
local answer = {content}
for _, job in ipairs(ok and stored.jobs or {}) do
  for _, value in ipairs(stored_values(job)) do table.insert(answer, value) end
end
return answer
