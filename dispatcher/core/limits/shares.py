"""How batches share the permits of the account: the constants of stride scheduling in ``claim.lua``."""

#: virtual time of a batch of weight 1 for one job
STRIDE = 1000.0
#: jobs that one batch gets before the next one is looked at
QUANTUM = 8
#: share of claims that bulk batches keep while urgent ones are waiting
BULK_FLOOR = 0.1
#: how much of a batch's own rate may be leased at once, as the time that it takes: at least one job
OWN_BURST_US = 100_000
