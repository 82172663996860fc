"""The dashboard of running batches: how far each is, when it ends, and whether its deadline is met."""

from grafana.board import Board
from grafana.panels import SAME, Column, Counts, Graph, Line, Table
from grafana.queries import counts, level, live, quantile

_BY = "batch, state"
_CHOSEN = 'batch=~"$batch"'
_SHARES = (0.5, 0.95)


def _jobs(state: str) -> str:
    return level("bulkfax_batch_jobs", f'state="{state}"', by="batch")


RUNNING = Table(
    title="Running batches",
    description="Up to 50 batches, by id. While one sends nothing, nobody can say when it ends.",
    labels={"batch": "Batch"},
    columns=[
        Column(title="Waiting", expr=_jobs("waiting")),
        Column(title="In flight", expr=_jobs("in_flight")),
        Column(title="Delivered", expr=_jobs("delivered")),
        Column(title="Failed", expr=_jobs("failed")),
        Column(title="Ended per second", expr=level("bulkfax_batch_rate_per_second", by="batch"), unit="cps"),
        Column(title="Ends in", expr=level("bulkfax_batch_eta_seconds", by="batch") + " >= 0", unit="dtdurations"),
        Column(
            title="Deadline in",
            expr=level("bulkfax_batch_deadline_seconds", by="batch") + " < +Inf",
            unit="dtdurations",
        ),
    ],
    order="Waiting",
    target=f"/d/bulkfax-batch?var-batch=${{__value.text}}&{SAME}",
    width=24,
    alert="BulkfaxDeadlineAtRisk",
)

_PROGRESS = (
    Graph(
        title="Jobs of the chosen batches",
        description="Jobs by batch and state.",
        lines=[
            Line(expr=live(level("bulkfax_batch_jobs", _CHOSEN, by=_BY)), legend="{{batch}}: {{state}}"),
        ],
        stacked=True,
        width=12,
    ),
    Graph(
        title="Jobs that end per second",
        description="Jobs of each chosen batch that ended in the last minute, per second.",
        unit="cps",
        lines=[Line(expr=level("bulkfax_batch_rate_per_second", _CHOSEN, by="batch"), legend="{{batch}}")],
        width=12,
    ),
    Graph(
        title="Time until the end, and until the deadline",
        description="When the first line of a batch is above the second one, it will miss its deadline.",
        unit="s",
        lines=[
            Line(expr=level("bulkfax_batch_eta_seconds", _CHOSEN, by="batch"), legend="{{batch}}: end"),
            Line(
                expr=level("bulkfax_batch_deadline_seconds", _CHOSEN, by="batch") + " < +Inf",
                legend="{{batch}}: deadline",
            ),
        ],
        width=12,
        alert="BulkfaxDeadlineAtRisk",
    ),
    Graph(
        title="Running batches and drafts",
        description="Batches that run, up to 50, and batches that nobody has started.",
        lines=[
            Line(expr=level("bulkfax_batches_running"), legend="running"),
            Line(expr=level("bulkfax_open_drafts"), legend="drafts"),
        ],
        width=12,
    ),
)

_TIMES = (
    Graph(
        title="From the start of a batch to the first attempt of a job",
        description="Of all batches. In a large mailing the last jobs begin late, because the rate is limited.",
        unit="s",
        lines=[
            Line(expr=quantile(share, "bulkfax_first_attempt_seconds"), legend=f"p{share * 100:g}") for share in _SHARES
        ],
    ),
    Graph(
        title="From the start of a batch to the end of a job",
        description="Of all batches, until a job is delivered or has failed for good.",
        unit="s",
        lines=[Line(expr=quantile(share, "bulkfax_final_seconds"), legend=f"p{share * 100:g}") for share in _SHARES],
    ),
    Counts(
        title="Drafts that expired",
        description="Batches that nobody started within times.draft_life.",
        lines=[Line(expr=live(counts("bulkfax_drafts_expired_total")), legend="expired")],
    ),
)

BOARD = Board(
    name="batch",
    title="batches",
    description="How far the running batches are, when they end, and whether deadlines are met.",
    rows={"Running batches": (RUNNING,), "Chosen batches": _PROGRESS, "Times": _TIMES},
    choices={"batch": 'label_values(bulkfax_batch_jobs{job="$job"}, batch)'},
)
