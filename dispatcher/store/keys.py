"""The names of all keys in Redis. The scripts build the same names (``prelude/keys.lua``).

Every name starts with the prefix ``bf:{<account>}:``, which the table omits. The braces are the hash tag of Redis
Cluster: all keys of an account are in one slot.

===========================  ======  =========================================================  =================
name                         type    meaning                                                    lifetime
===========================  ======  =========================================================  =================
layout                       string  number of the layout of these keys                         for good
batches                      zset    batch -> creation time (ms)                                90 days (policy)
active:<class>               zset    batches with work now -> virtual time                      while running
drafts                       zset    draft -> when it changed last (ms)                         until started
timers                       zset    batch -> when it has work again (ms)                       while running
wake                         list    one element to wake each sleeping scheduler                until woken
deadlines                    zset    batch -> deadline (ms)                                     until it ended
draining                     set     ended batches whose due set is being emptied               seconds
deleting                     zset    batch that is being deleted -> since when (ms)             seconds
deleted                      zset    deleted batch or endpoint -> until when it is known (ms)   28 days
sent:<batch>                 string  sketch of the numbers of a deleted batch, for comparison   a day
watch:leased                 zset    job -> end of its lease (ms)                               in flight
watch:sending                zset    job -> send deadline of its attempt (ms)                   in flight
watch:unclear                zset    job that may have been sent -> next look-up (ms)           in flight
watch:accepted               zset    job -> next read-back (ms)                                 in flight
leases                       hash    lease -> times, jobs left, worker (``leases.lua``)         until begun
lease:<id>                   string  JSON: jobs of a lease, holds it probes                     until begun
begun:<call>                 string  answer of begin, for a repeated call                       1 minute
number:<hash>                string  attempt that calls it, or ``rest``; until when (ms)        attempt + rest
locks                        hash    job -> number hash it holds                                in flight
limiter                      hash    the account's rate limiter (``pacing.lua``)                for good
holds                        hash    scope -> JSON of the hold                                  until it ends
holds:wide                   set     scopes of the holds that are not of a single job           until they end
holds:jobs                   hash    <batch> <category> -> number of holds of single jobs       until they end
holds:first                  hash    <batch> <category> -> JSON of the first of them            until they end
parked:<scope>               set     batches with work that waits for the end of that hold      while held
released                     set     scopes of ended holds whose batches are still to be woken  seconds
sends                        string  number of sends whose end is known, for the breaker        for good
breaker                      zset    <job>/<attempt> <status> of a failed send -> ``sends`` then 20 sends
suppressions                 hash    number that must not be faxed -> JSON: source, reason      until it ends
suppressions:numbers         zset    the same numbers, in the order of their digits             until it ends
suppressions:ends            zset    those that expire -> when they are forgotten (ms)          until then
calls                        string  number of ended calls, for dead numbers                    for good
dead_calls                   zset    <job>/<attempt> of a call to a dead number -> ``calls``    200 calls
dead_area:<area>             zset    dead numbers of an area that were called -> when (ms)      1 hour (policy)
answered                     hash    last usable answer to a send: when (ms), sends by then     for good
forbidden                    zset    scope of a country refused with 403 -> ``sends`` then      20 sends
strikes:<scope>              zset    attempts that failed in a row -> when (ms)                 1 hour (policy)
unclear_sends                zset    <job>/<attempt> of unclear end -> ``sends`` then           200 sends
lists_fail                   string  since when the provider's list is not readable (ms)        until one is read
clock                        hash    boot of a machine -> its last reading of Redis's clock     for good
workers                      hash    worker process -> instance, heartbeat, room                1 hour after it
workers:ended                string  when a worker process ended last (ms)                      for good
scheduler:seen               string  when a scheduler last asked for due work (ms)              for good
epoch                        hash    write epoch, when it moved, what it was raised to          for good
rollback                     hash    the last loss of writes, and progress of its recovery      for good
rollback:unknown             hash    fax id -> JSON of a fax whose job does not exist           until the next
inbox                        stream  callbacks not yet settled                                  until settled
inbox:deferred               zset    callback -> when it is due again (ms)                      until confirmed
inbox:failed                 list    JSON of callbacks that could not be settled                the last 1,000
events                       stream  what happened to batches, for producers                    7 days (policy)
events:account               string  number of the last event that concerns no single batch     for good
webhooks                     hash    webhook endpoint -> JSON: address, types, secrets            until deleted
webhooks:due                 zset    enabled endpoint -> when it may get a delivery (ms)        until deleted
webhook:<id>                 hash    position, delivery under way, failures of an endpoint      until deleted
webhook:<id>:deliveries      list    JSON of attempts to deliver to it, newest first            the last 1,000
totals                       hash    counters of all processes of the account, for metrics      for good
secrets                      hash    keys made once: callback, number                           for good
write_check                  string  written by the readiness check                             1 minute
keep:<use>:<hash>            string  JSON: fingerprint and value of an idempotency key          7 days
lookup                       string  number of the piece of the index that is being written             for good
lookup:<piece>               string  number and reference of each job, by hash (``lookup_index.py``)    90 days (policy)
starts:<content>             list    <batch> <until when it is compared, ms> of the same content  a day
preview:<id>                 string  JSON: what a preview of a rerun has counted so far          1 hour
documents                    hash    sha256 -> size in bytes                                    90 days (policy)
documents:used               zset    sha256 -> upload, or last create or end with it (ms)       with the document
document:<sha256>            hash    name, size, pages, created_ms                              90 days (policy)
document:<sha256>:chunks     list    content in chunks                                          90 days (policy)
document:<sha256>:users      set     batches with that document that have not ended             until they ended
document:<sha256>:told       set     those of them that were told that its hold stops them      while held
batch:<id>                   hash    definition, metadata, control, sums, costs by currency     90 days (policy)
batch:<id>:counts            hash    <state>:<category>:<type> -> jobs                          with the batch
batch:<id>:waits             hash    <category>:<minute> -> jobs that wait for another try      while waiting
batch:<id>:held_jobs         hash    category -> jobs that are held one by one                  while held
batch:<id>:block:<n>         string  up to 1,000 recipients, compressed, immutable              with the batch
batch:<id>:records:<n>       string  one fixed-width record for each of them                    with the batch
batch:<id>:history:<n>       hash    row -> outcomes of its attempts                            with the batch
batch:<id>:long_ids:<n>      hash    row -> fax id that is too long for the record              with the batch
batch:<id>:versions:<n>      hash    row -> <attempt>:<version> ... of a changed batch          with the batch
batch:<id>:due               zset    row -> when it may be leased again (ms)                    while waiting
batch:<id>:parked            set     held countries for which rows are parked                   while held
batch:<id>:parked:<country>  string  bitmap: rows that wait for the end of that country's hold  while held
batch:<id>:refused           list    refused rows, compressed chunks                            with the batch
batch:<id>:reasons           hash    reason of refusal -> rows                                  with the batch
batch:<id>:uploads           hash    upload -> lines:accepted:refused:duplicates                with the batch
batch:<id>:seen              set     numbers already in the batch                               until started
batch:<id>:hashes            string  keyed hashes of its numbers; once started, the sketch      a day
batch:<id>:countries         hash    country -> jobs                                            with the batch
batch:<id>:reruns            zset    batch that is a rerun of it -> when it was created (ms)    with the batch
batch:<id>:selection         hash    block of its parents -> rows that a rerun takes, as bits   until started
===========================  ======  =========================================================  =================

In the broker's database (``queues.py``), with the same prefix:

===========================  ======  =========================================================  =================
name                         type    meaning                                                    lifetime
===========================  ======  =========================================================  =================
queue:<name>                 list    messages that no worker has taken yet                      until taken
===========================  ======  =========================================================  =================
"""

import re

from dispatcher.core.job import JobId
from dispatcher.core.recovery.places import WATCHED

#: rows of a block; row number = block * BLOCK + position
BLOCK = 1000
#: maximum number of blocks of a batch; a stored number above it is damaged
MAX_BLOCKS = 1_000_000
#: last parts of the names of a batch's keys, without those of its blocks and of parked rows
BATCH_PARTS = (
    *("counts", "due", "parked", "refused", "reasons", "uploads", "seen", "hashes", "countries", "reruns"),
    *("selection", "waits", "held_jobs"),
)
#: the same of the keys of each block
BLOCK_PARTS = ("block", "records", "history", "long_ids", "versions")
#: the only account for now
DEFAULT_ACCOUNT = "default"
#: keys of the layout before version 1, whose names had no account; every service wrote some of them
LEGACY_KEYS = ("bf:batches", "bf:limiter", "bf:secrets")
#: types of the keys of an account that have no id in their name; the same as in the table above
ACCOUNT_TYPES = {
    **dict.fromkeys(
        (
            *("layout", "workers:ended", "scheduler:seen", "sends", "lists_fail", "write_check", "calls", "lookup"),
            "events:account",
        ),
        "string",
    ),
    **dict.fromkeys(("batches", "active:urgent", "active:bulk", "drafts", "timers", "deadlines"), "zset"),
    **dict.fromkeys(("breaker", "forbidden", "unclear_sends", "inbox:deferred"), "zset"),
    **dict.fromkeys(("suppressions:numbers", "suppressions:ends", "dead_calls"), "zset"),
    **dict.fromkeys(("deleting", "deleted", "documents:used", "webhooks:due"), "zset"),
    **dict.fromkeys((f"watch:{place}" for place in WATCHED), "zset"),
    **dict.fromkeys(("wake", "inbox:failed"), "list"),
    **dict.fromkeys(("draining", "released", "holds:wide"), "set"),
    **dict.fromkeys(("leases", "locks", "limiter", "holds", "answered", "clock", "workers", "epoch"), "hash"),
    **dict.fromkeys(
        (
            *("rollback", "rollback:unknown", "totals", "secrets", "documents", "suppressions", "webhooks"),
            *("holds:jobs", "holds:first"),
        ),
        "hash",
    ),
    **dict.fromkeys(("inbox", "events"), "stream"),
}
#: those of them without which nothing is sent
SENDING_KEYS = frozenset(
    {
        *("active:urgent", "active:bulk", "epoch", "holds", "leases", "limiter", "locks", "timers", "workers"),
        "suppressions",
        *(f"watch:{place}" for place in WATCHED),
    }
)
_ACCOUNT = re.compile(r"[a-z0-9-]{1,32}")


class Keys:
    """The names of the keys of one account."""

    def __init__(self, account: str = DEFAULT_ACCOUNT) -> None:
        """Raises ValueError if the name of the account is invalid."""
        if not _ACCOUNT.fullmatch(account):
            raise ValueError(f"{account!r} is no name of an account: 1 to 32 of a-z, 0-9 and -")
        self.prefix = f"bf:{{{account}}}:"
        self.layout = self._named("layout")
        self.batches = self._named("batches")
        self.drafts = self._named("drafts")
        self.timers = self._named("timers")
        self.wake = self._named("wake")
        self.deadlines = self._named("deadlines")
        self.draining = self._named("draining")
        self.deleting = self._named("deleting")
        self.deleted = self._named("deleted")
        self.locks = self._named("locks")
        self.limiter = self._named("limiter")
        self.holds = self._named("holds")
        self.wide_holds = self._named("holds:wide")
        self.holds_of_jobs = self._named("holds:jobs")
        self.first_holds = self._named("holds:first")
        self.released = self._named("released")
        self.sends = self._named("sends")
        self.breaker = self._named("breaker")
        self.suppressions = self._named("suppressions")
        self.suppressed_numbers = self._named("suppressions:numbers")
        self.suppression_ends = self._named("suppressions:ends")
        self.calls = self._named("calls")
        self.dead_calls = self._named("dead_calls")
        self.answered = self._named("answered")
        self.forbidden = self._named("forbidden")
        self.unclear_sends = self._named("unclear_sends")
        self.lists_fail = self._named("lists_fail")
        self.clock = self._named("clock")
        self.workers = self._named("workers")
        self.workers_ended = self._named("workers:ended")
        self.scheduler_seen = self._named("scheduler:seen")
        self.epoch = self._named("epoch")
        self.rollback = self._named("rollback")
        self.rollback_unknown = self._named("rollback:unknown")
        self.leases = self._named("leases")
        self.inbox = self._named("inbox")
        self.inbox_deferred = self._named("inbox:deferred")
        self.inbox_failed = self._named("inbox:failed")
        self.events = self._named("events")
        self.events_of_account = self._named("events:account")
        self.webhooks = self._named("webhooks")
        self.webhooks_due = self._named("webhooks:due")
        self.totals = self._named("totals")
        self.secrets = self._named("secrets")
        self.documents = self._named("documents")
        self.lookup = self._named("lookup")
        self.documents_used = self._named("documents:used")
        self.write_check = self._named("write_check")
        self.watch = {place: self._named(f"watch:{place}") for place in WATCHED}

    def _named(self, name: str) -> str:
        return self.prefix + name

    def active(self, priority: str) -> str:
        """Return the key of the batches of a priority class that have work now."""
        return self._named(f"active:{priority}")

    def lease(self, lease_id: str) -> str:
        """Return the key of the content of a lease."""
        return self._named(f"lease:{lease_id}")

    def begun(self, call: str) -> str:
        """Return the key of begin's answer to a call id, kept so that a repeated call gets the same answer."""
        return self._named(f"begun:{call}")

    def number(self, number_hash: str) -> str:
        """Return the key of the lock of a number."""
        return self._named(f"number:{number_hash}")

    def failure_run(self, scope: str) -> str:
        """Return the key of the consecutive failures of a scope."""
        return self._named(f"strikes:{scope}")

    def dead_area(self, area: str) -> str:
        """Return the key of the dead numbers of an area that were called lately."""
        return self._named(f"dead_area:{area}")

    def reservation(self, use: str, name_hash: str) -> str:
        """Return the key of a reservation under an idempotency key."""
        return self._named(f"keep:{use}:{name_hash}")

    def lookup_piece(self, number: int) -> str:
        """Return the key of a piece of the index of all jobs."""
        return self._named(f"lookup:{number}")

    def starts(self, content: str) -> str:
        """Return the key of the batches with the same content that were started lately."""
        return self._named(f"starts:{content}")

    def preview(self, preview_id: str) -> str:
        """Return the key of a preview of a rerun that is not complete."""
        return self._named(f"preview:{preview_id}")

    def queue(self, name: str) -> str:
        """Return the key of a queue of messages to workers, in the broker's database."""
        return self._named(f"queue:{name}")

    def document(self, sha256: str) -> str:
        """Return the key of the facts about a document."""
        return self._named(f"document:{sha256}")

    def chunks(self, sha256: str) -> str:
        """Return the key of the content of a document."""
        return self._named(f"document:{sha256}:chunks")

    def document_users(self, sha256: str) -> str:
        """Return the key of the batches that have not ended and need a document."""
        return self._named(f"document:{sha256}:users")

    def document_told(self, sha256: str) -> str:
        """Return the key of the batches that were told that the hold of a document stops them."""
        return self._named(f"document:{sha256}:told")

    def webhook(self, endpoint: str) -> str:
        """Return the key of the state of a webhook endpoint."""
        return self._named(f"webhook:{endpoint}")

    def webhook_deliveries(self, endpoint: str) -> str:
        """Return the key of the attempts to deliver to a webhook endpoint."""
        return self._named(f"webhook:{endpoint}:deliveries")

    def sent_sketch(self, batch_id: str) -> str:
        """Return the key of the sketch of a deleted batch that has sent something."""
        return self._named(f"sent:{batch_id}")

    def batch(self, batch_id: str) -> str:
        """Return the key of the definition, control state and totals of a batch."""
        return self._named(f"batch:{batch_id}")

    def of_batch(self, batch_id: str, name: str) -> str:
        """Return a sub-key of a batch, such as counts, due, refused, reasons, uploads, seen or selection."""
        return self._named(f"batch:{batch_id}:{name}")

    def stopped_batches(self, scope: str) -> str:
        """Return the key of the batches with work that waits for the end of a hold."""
        return self._named(f"parked:{scope}")

    def parked_rows(self, batch_id: str, country: str) -> str:
        """Return the key of the rows of a batch that wait for the end of their country's hold."""
        return self.of_batch(batch_id, f"parked:{country}")

    def of_block(self, batch_id: str, name: str, block: int) -> str:
        """Return a key of a block: block, records, history or long_ids."""
        return self._named(f"batch:{batch_id}:{name}:{block}")


def job_of(name: bytes) -> JobId:
    """Return the job that a stored name is of. Raises ValueError for a name that is none."""
    return JobId.parse(name.decode())


def locate(job: JobId) -> tuple[int, int]:
    """Return the block of a job's row and its position in the block."""
    return divmod(job.row, BLOCK)
