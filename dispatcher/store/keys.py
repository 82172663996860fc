"""Every key in Redis: its name, type, meaning and lifetime. The scripts build the same names (``record.lua``).

======================================  ======  ====================================================  ===============
name                                    type    meaning                                               lifetime
======================================  ======  ====================================================  ===============
bf:batches                              zset    batch -> creation time (ms)                           for good
bf:active:<class>                       zset    batches with work now -> virtual time                 while running
bf:timers                               zset    batch -> when it has work again (ms)                  while running
bf:wake                                 list    words that wake sleeping schedulers                   until woken
bf:deadlines                            zset    batch -> deadline (ms)                                until it ended
bf:draining                             set     ended batches whose due set is being emptied          seconds
bf:watch:leased                         zset    job -> end of its lease (ms)                          in flight
bf:watch:sending                        zset    job -> send deadline of its attempt (ms)              in flight
bf:watch:unclear                        zset    job that may have been sent -> next look-up (ms)      in flight
bf:watch:accepted                       zset    job -> next read-back (ms)                            in flight
bf:leases                               hash    lease -> times, jobs left, worker (``leases.lua``)    until begun
bf:lease:<id>                           string  JSON: jobs of a lease, holds it probes                until begun
bf:begun:<call>                         string  answer of begin, for a repeated call                  1 minute
bf:number:<hash>                        string  <job>/<attempt> calling it, or ``rest``, until (ms)   attempt + rest
bf:locks                                hash    job -> number hash it holds                           in flight
bf:limiter                              hash    the account's shared pace (``pacing.lua``)            for good
bf:holds                                hash    scope -> JSON of the hold                             until it ends
bf:parked:<scope>                       set     batches with work that waits for the end of that hold         while held
bf:released                             set     scopes of ended holds whose batches are still to be woken     seconds
bf:breaker                              zset    <job>/<attempt> <status> of its failures -> sends     20 sends
bf:answered                             hash    last usable answer to a send: when (ms), sends by then        for good
bf:forbidden                            zset    scope of a country refused with 403 -> sends          20 sends
bf:strikes:<scope>                      zset    attempts that failed in a row -> when (ms)            1 hour (policy)
bf:unclear_sends                        zset    <job>/<attempt> of unclear end -> sends by then          200 sends
bf:lists_fail                           string  since when no list could be read (ms)                 until one is read
bf:clock                                hash    start of a machine -> what it saw of the server's clock for good
bf:workers                              hash    worker process -> instance, heartbeat, room           1 hour after it
bf:workers:ended                        string  when a worker process ended last (ms)                 for good
bf:scheduler:seen                       string  when a scheduler asked last what is due (ms)          for good
bf:epoch                                hash    write epoch, when it moved, what it was raised to     for good
bf:rollback                             hash    the last loss of writes, and what became of it        for good
bf:rollback:unknown                     hash    fax id -> JSON of a fax whose job is not there        until the next
bf:inbox                                stream  callbacks not yet settled                             until settled
bf:inbox:deferred                       zset    callback -> when it is looked at again (ms)           until confirmed
bf:inbox:failed                         list    JSON of callbacks that could not be settled           the last 1,000
bf:totals                               hash    counters of the whole cluster, for metrics            for good
bf:secrets                              hash    keys made once: callback, number                      for good
bf:write_check                          string  written by the readiness check                        1 minute
bf:keep:<kind>:<hash>                   string  idempotency reservation                               7 days
bf:documents                            hash    sha256 -> size in bytes                               for good
bf:document:<sha256>                    hash    name, size, pages, created_ms                         for good
bf:document:<sha256>:chunks             list    content in chunks                                     for good
bf:batch:<id>                           hash    definition, control, cursor, sums                     for good
bf:batch:<id>:counts                    hash    <state>:<category>:<type> -> jobs                     for good
bf:batch:<id>:block:<n>                 string  up to 1,000 recipients, compressed, immutable         for good
bf:batch:<id>:records:<n>               string  one fixed-width record for each of them               for good
bf:batch:<id>:history:<n>               hash    row -> what became of its attempts                    for good
bf:batch:<id>:long_ids:<n>              hash    row -> fax id that is too long for the record         for good
bf:batch:<id>:due                       zset    row -> when it may be leased again (ms)               while waiting
bf:batch:<id>:parked                    set     held countries for which rows are parked                      while held
bf:batch:<id>:parked:<country>          string  bitmap: rows that wait for the end of that country's hold     while held
bf:batch:<id>:refused                   list    refused rows, compressed chunks                       for good
bf:batch:<id>:reasons                   hash    reason of refusal -> rows                             for good
bf:batch:<id>:uploads                   hash    upload -> lines:accepted:refused:duplicates           for good
bf:batch:<id>:seen                      set     numbers already in the batch                          until started
bf:batch:<id>:selection                 hash    block of the parent -> rows that a rerun takes, as bits until started
======================================  ======  ====================================================  ===============

In the broker's database (``queues.py``):

======================================  ======  ====================================================  ===============
bf:queue:<name>                         list    messages that no worker has taken yet                 until taken
======================================  ======  ====================================================  ===============
"""

from dispatcher.core.job import JobId
from dispatcher.core.recovery.places import WATCHED

#: rows of a block; row number = block * BLOCK + position
BLOCK = 1000

BATCHES = "bf:batches"
TIMERS = "bf:timers"
WAKE = "bf:wake"
DEADLINES = "bf:deadlines"
DRAINING = "bf:draining"
LOCKS = "bf:locks"
LIMITER = "bf:limiter"
HOLDS = "bf:holds"
RELEASED = "bf:released"
ANSWERED = "bf:answered"
CLOCK = "bf:clock"
WORKERS = "bf:workers"
WORKERS_ENDED = "bf:workers:ended"
SCHEDULER_SEEN = "bf:scheduler:seen"
EPOCH = "bf:epoch"
ROLLBACK = "bf:rollback"
ROLLBACK_UNKNOWN = "bf:rollback:unknown"
LEASES = "bf:leases"
INBOX = "bf:inbox"
INBOX_DEFERRED = "bf:inbox:deferred"
INBOX_FAILED = "bf:inbox:failed"
TOTALS = "bf:totals"
SECRETS = "bf:secrets"
DOCUMENTS = "bf:documents"
WRITE_CHECK = "bf:write_check"

WATCH = {place: f"bf:watch:{place}" for place in WATCHED}


def active(priority: str) -> str:
    return f"bf:active:{priority}"


def lease(lease_id: str) -> str:
    return f"bf:lease:{lease_id}"


def keep(kind: str, key_hash: str) -> str:
    return f"bf:keep:{kind}:{key_hash}"


def queue(name: str) -> str:
    """In the broker's database."""
    return f"bf:queue:{name}"


def document(sha256: str) -> str:
    return f"bf:document:{sha256}"


def chunks(sha256: str) -> str:
    return f"bf:document:{sha256}:chunks"


def batch(batch_id: str) -> str:
    return f"bf:batch:{batch_id}"


def part(batch_id: str, name: str) -> str:
    """One of the sub-keys of a batch: counts, due, refused, reasons, uploads, seen, parked, selection."""
    return f"bf:batch:{batch_id}:{name}"


def parked(scope: str) -> str:
    """Batches with work that waits for the end of a hold."""
    return f"bf:parked:{scope}"


def parked_rows(batch_id: str, country: str) -> str:
    return part(batch_id, f"parked:{country}")


def block_part(batch_id: str, name: str, block: int) -> str:
    """One of the keys of a block: block, records, history, long_ids."""
    return f"bf:batch:{batch_id}:{name}:{block}"


def locate(job: JobId) -> tuple[int, int]:
    """Block and position of a job's row."""
    return divmod(job.row, BLOCK)
