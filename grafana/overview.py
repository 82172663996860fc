"""The dashboard to begin with: is all well, what is being sent, and what stands in the way?"""

from grafana.batch import RUNNING
from grafana.board import Board
from grafana.panels import Column, Counts, Graph, Line, Number, Panel, Table
from grafana.queries import added, counts, level, live, process_total, rate, selected, total

_NOT_DUE = "jobs of drafts, of paused batches and of batches with a later start"
_ENDED = "state, category"
_DELIVERED = added(total("bulkfax_jobs_final_total", 'state=~"delivered.*"', by=_ENDED))
#: the objective of the alerts, and the causes that do not count against it: those of the recipient's line
OBJECTIVE = 0.01
THEIR_LINE = "bad_number|busy|call_rejected|capability|incompatible|no_answer|no_fax_tone"
_OURS = ('state=~"failed|expired"', f'category!~"{THEIR_LINE}"')
_UNDELIVERED = added(total("bulkfax_jobs_final_total", *_OURS, by=_ENDED))
_ALL_ENDED = added(total("bulkfax_jobs_final_total", 'state!="cancelled"', by=_ENDED))
_LAG = "bulkfax_callback_lag_seconds"
_SOON = total(f"{_LAG}_bucket", 'le="30.0"')
_SETTLED_SOON = f"{_SOON} / ({total(f'{_LAG}_count')} > 0)"
_API = 'route=~"/(v1|callbacks)/.*"'
_NOT_ANSWERED = process_total("bulkfax_http_requests_total", _API, 'status="5xx"')
_ANSWERED = f"1 - {_NOT_ANSWERED} / ({process_total('bulkfax_http_requests_total', _API)} > 0)"
_REFUSED_BY_RATE = total("bulkfax_attempts_total", 'outcome="rate_limited"')
_ALL_ATTEMPTS = added(total("bulkfax_attempts_total", by="outcome"))
_FIRING = selected("ALERTS", 'alertstate="firing"')

_NOW = (
    Number(
        title="Due",
        description=f"Jobs that may be sent now. Excludes {_NOT_DUE}, and jobs under a hold of their own.",
        expr=level("bulkfax_jobs_due"),
        width=3,
        more="engine",
        alert="BulkfaxNotSending",
    ),
    Number(
        title="In flight",
        description="Jobs that are leased, being sent, unclear, or accepted by the provider and not ended.",
        expr=added(level("bulkfax_in_flight", by="state")),
        width=3,
        more="engine",
    ),
    Number(
        title="Rate used",
        description="Slots granted in the last full 10 s, as a share of the account's limit.",
        unit="percentunit",
        expr=level("bulkfax_rate_used_ratio"),
        width=3,
        more="provider",
    ),
    Number(
        title="Refused by 429",
        description="Share of the sends that were refused with 429. Each of these cuts the shared rate for seconds.",
        unit="percentunit",
        expr=f"{_REFUSED_BY_RATE} / ({_ALL_ATTEMPTS} > 0) or vector(0)",
        orange_from=0.01,
        red_from=0.05,
        width=3,
        more="provider",
        alert="BulkfaxRateLimited",
    ),
    Number(
        title="Delivered",
        description="Share of delivered and delivered_unconfirmed among all jobs that ended in this time range.",
        unit="percentunit",
        expr=f"{_DELIVERED} / ({added(total('bulkfax_jobs_final_total', by=_ENDED))} > 0)",
        orange_below=0.9,
        red_below=0.7,
        width=3,
        more="failures",
        alert="BulkfaxFailureShare",
    ),
    Number(
        title="Holds",
        description="Number of open holds. List them with: bulkfax holds list.",
        expr=added(level("bulkfax_holds", by="kind, category")),
        orange_from=1,
        width=3,
        alert="BulkfaxHoldOpen",
    ),
    Number(
        title="Inbox",
        description="Age of the oldest callback that is stored but not settled.",
        unit="s",
        expr=level("bulkfax_oldest_inbox_event_seconds"),
        red_from=60,
        width=3,
        more="engine",
        alert="BulkfaxInboxOld",
    ),
    Number(
        title="Doubled",
        description="Jobs for which the provider accepted a fax while an earlier one was unfinished or delivered.",
        decimals=0,
        expr=total("bulkfax_doubled_total"),
        red_from=1,
        width=3,
        alert="BulkfaxDoubled",
    ),
)


def _burn(window: str) -> Line:
    ratio = level(f"job:bulkfax_undelivered:ratio{window}")
    return Line(expr=f"{ratio} / {OBJECTIVE}", legend=f"of {window}")


_OBJECTIVES = (
    Number(
        title="Jobs without a fault of ours",
        description="Share of the jobs that ended and did not fail for another reason than the recipient's line. "
        "The objective is 99 %.",
        unit="percentunit",
        expr=f"1 - {_UNDELIVERED} / ({_ALL_ENDED} > 0)",
        red_below=1 - OBJECTIVE,
        width=6,
        more="failures",
        alert="BulkfaxFailuresFast",
    ),
    Number(
        title="Failures left",
        description="What is left in this time range of the 1 % of jobs that may fail. Choose 30 days above.",
        unit="percentunit",
        expr=f"1 - {_UNDELIVERED} / ({_ALL_ENDED} > 0) / {OBJECTIVE}",
        orange_below=0.5,
        red_below=0,
        width=6,
        more="failures",
        alert="BulkfaxFailuresSlow",
    ),
    Number(
        title="Results settled within 30 s",
        description="Share of the callbacks that were settled within 30 s of the end of their fax. Objective: 99 %.",
        unit="percentunit",
        expr=_SETTLED_SOON,
        red_below=0.99,
        width=6,
        alert="BulkfaxInboxOld",
    ),
    Number(
        title="Requests answered",
        description="Share of requests to the API and of callbacks without 5xx. The objective is 99.9 %.",
        unit="percentunit",
        expr=_ANSWERED,
        red_below=0.999,
        width=6,
        more="engine",
        alert="BulkfaxApiErrors",
    ),
    Graph(
        title="Failures as a multiple of the objective",
        description="How many times more jobs fail than the objective allows, over windows of time. The alerts fire at "
        "14.4 (of 1 h and 5 m), 6 (of 6 h and 30 m) and 1 (of 3 d and 6 h).",
        unit="short",
        lines=[_burn(window) for window in ("5m", "30m", "1h", "6h", "3d")],
        width=12,
        more="failures",
        alert="BulkfaxFailuresFast",
    ),
    Counts(
        title="Jobs that ended, by state",
        description="Final states of each interval.",
        lines=[
            Line(
                expr=live(added(counts("bulkfax_jobs_final_total", by=_ENDED), "state")),
                legend="{{state}}",
            )
        ],
        width=12,
        more="failures",
    ),
)

_SENDING = (
    Counts(
        title="Attempts by outcome",
        description="POST /faxes attempts of each interval. missed_slot: not sent, a worker was too late.",
        lines=[
            Line(expr=live(counts("bulkfax_attempts_total", by="outcome")), legend="{{outcome}}"),
            Line(expr=live(added(counts("bulkfax_probes_total", by="outcome"))), legend="probes of a hold"),
        ],
        more="provider",
    ),
    Graph(
        title="Rate: limit, now, sent",
        description="The account's limit, the current rate after 429s, and attempts. Requests per second.",
        unit="reqps",
        lines=[
            Line(expr=level("bulkfax_rate_limit_per_second"), legend="limit"),
            Line(expr=level("bulkfax_rate_per_second"), legend="rate now"),
            Line(expr=added(rate("bulkfax_attempts_total", by="outcome")), legend="attempts"),
        ],
        more="provider",
        alert="BulkfaxRateLimited",
    ),
    Graph(
        title="What limits sending",
        description="The reason why nothing is sent, or no more than the rate. None while nothing is due.",
        lines=[Line(expr=live(level("bulkfax_limited_by", by="reason")), legend="{{reason}}")],
        stacked=True,
        alert="BulkfaxNotSending",
    ),
)

_JOBS = (
    Graph(
        title="Due jobs",
        description=f"Jobs that may be sent now, and due jobs under a hold. Excludes {_NOT_DUE}.",
        lines=[
            Line(expr=level("bulkfax_jobs_due"), legend="due"),
            Line(expr=level("bulkfax_jobs_due_held"), legend="held"),
        ],
    ),
    Graph(
        title="Oldest due job",
        description="How long the oldest due job has been due. In a large mailing this is the time since its start.",
        unit="s",
        lines=[Line(expr=level("bulkfax_oldest_due_seconds"), legend="oldest")],
    ),
    Graph(
        title="Live jobs by state",
        description=f"Jobs that have not ended. waiting includes {_NOT_DUE}.",
        lines=[
            Line(
                expr=live(level("bulkfax_jobs", 'state=~"waiting|leased|sending|accepted"', by="state")),
                legend="{{state}}",
            )
        ],
        stacked=True,
    ),
)

_TROUBLE = (
    Table(
        title="Alerts that fire",
        description="Alerts of this installation. Each has a section in the runbook.",
        labels={"alertname": "Alert", "severity": "Severity"},
        columns=[Column(title="Firing", expr=f"max by (alertname, severity) ({_FIRING})")],
        order="Severity",
        hidden=True,
    ),
    Graph(
        title="Holds in force",
        description="Open holds by kind and category. Holds of account or provider stop everything.",
        lines=[Line(expr=live(level("bulkfax_holds", by="kind, category")), legend="{{kind}}: {{category}}")],
        alert="BulkfaxHoldOpen",
    ),
    Counts(
        title="Holds opened, and doubled jobs",
        description="Opened holds by category, and jobs for which two faxes were accepted.",
        lines=[
            Line(expr=live(counts("bulkfax_holds_opened_total", by="category")), legend="opened: {{category}}"),
            Line(expr=live(counts("bulkfax_doubled_total")), legend="doubled"),
        ],
        alert="BulkfaxHoldOpen",
    ),
)

_ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": _NOW,
    "Objectives": _OBJECTIVES,
    "Sending": _SENDING,
    "Running batches": (RUNNING,),
    "Jobs": _JOBS,
    "Alerts and holds": _TROUBLE,
}

BOARD = Board(
    name="",
    title="overview",
    description="Begin here: what is being sent, what stands in the way, and whether the objectives are met.",
    rows=_ROWS,
)
