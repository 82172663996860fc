"""The dashboard of the provider: how it answers, how its limits are used, and how callbacks arrive."""

from grafana.board import Board
from grafana.panels import Counts, Graph, Line, Number
from grafana.queries import (
    added,
    counts,
    level,
    live,
    of_processes,
    process_counts,
    process_quantile,
    quantile,
    rate,
    total,
)

_ATTEMPTS = added(total("bulkfax_attempts_total", by="outcome"))
_UNUSABLE = added(total("bulkfax_attempts_total", 'outcome=~"unclear|not_sent"', by="outcome"))
_SHARES = (0.5, 0.95, 0.99)
_ALLOWANCE = level("bulkfax_allowance_requests", by="period")

_NOW = (
    Number(
        title="Without a usable answer",
        description="Share of the attempts of this time range: 5xx, time-outs, refused connections.",
        unit="percentunit",
        expr=f"{_UNUSABLE} / ({_ATTEMPTS} > 0) or vector(0)",
        orange_from=0.02,
        red_from=0.3,
        width=4,
        alert="BulkfaxProviderOutage",
    ),
    Number(
        title="POST /faxes, p95",
        description="Time from the slot to the answer of 95 % of the sends. The default policy gives up after 20 s.",
        unit="s",
        expr=quantile(0.95, "bulkfax_submit_seconds"),
        orange_from=5,
        red_from=10,
        width=4,
        alert="BulkfaxSlowSubmit",
    ),
    Number(
        title="Unclear attempts",
        description="Attempts that the provider may have accepted. Each is searched for during a few minutes.",
        expr=level("bulkfax_unclear_attempts"),
        orange_from=1,
        width=4,
        alert="BulkfaxUnclearSends",
    ),
    Number(
        title="Next permit",
        description="Time until the next request may be sent. Long after a 429 or when a limit is used up.",
        unit="s",
        expr=level("bulkfax_next_permit_seconds"),
        orange_from=10,
        width=4,
        alert="BulkfaxProviderWait",
    ),
    Number(
        title="Pages",
        description="Pages that arrived in this time range.",
        unit="locale",
        decimals=0,
        expr=total("bulkfax_pages_total"),
        width=4,
    ),
    Number(
        title="Forged callbacks",
        description="Callbacks with a wrong signature in this time range.",
        unit="locale",
        decimals=0,
        expr=total("bulkfax_callbacks_total", 'result="forged"'),
        orange_from=1,
        width=4,
        alert="BulkfaxForgedCallbacks",
    ),
)

_SENDS = (
    Graph(
        title="Time of POST /faxes",
        description="Time from the slot to the answer. The default policy gives up after 20 s.",
        unit="s",
        lines=[Line(expr=quantile(share, "bulkfax_submit_seconds"), legend=f"p{share * 100:g}") for share in _SHARES],
        alert="BulkfaxSlowSubmit",
    ),
    Counts(
        title="Answers by status",
        description="Answers to POST /faxes, by HTTP status; none: no answer.",
        lines=[Line(expr=live(counts("bulkfax_provider_responses_total", by="status")), legend="{{status}}")],
        alert="BulkfaxProviderOutage",
    ),
    Counts(
        title="Attempts by outcome",
        description="POST /faxes attempts. missed_slot: not sent, a worker was too late.",
        lines=[
            Line(expr=live(counts("bulkfax_attempts_total", by="outcome")), legend="{{outcome}}"),
            Line(expr=live(counts("bulkfax_probes_total", by="outcome")), legend="probe: {{outcome}}"),
        ],
        alert="BulkfaxUnclearSends",
    ),
)

_LIMITS = (
    Graph(
        title="Rate: limit, now, sent",
        description="The account's limit, the current rate after 429s, and attempts. Requests per second.",
        unit="reqps",
        lines=[
            Line(expr=level("bulkfax_rate_limit_per_second"), legend="limit"),
            Line(expr=level("bulkfax_rate_per_second"), legend="rate now"),
            Line(expr=added(rate("bulkfax_attempts_total", by="outcome")), legend="attempts"),
        ],
        alert="BulkfaxRateLimited",
    ),
    Graph(
        title="Limits used",
        description="Used share of the account's rate, and of its limits per minute and per day if there are any.",
        unit="percentunit",
        lines=[
            Line(expr=level("bulkfax_rate_used_ratio"), legend="rate"),
            Line(
                expr=f"{level('bulkfax_allowance_used_requests', by='period')} / {_ALLOWANCE}", legend="per {{period}}"
            ),
        ],
    ),
    Graph(
        title="Next permit",
        description="Time until the next request may be sent. Long after a 429 or when a limit is used up.",
        unit="s",
        lines=[Line(expr=level("bulkfax_next_permit_seconds"), legend="next permit")],
        alert="BulkfaxProviderWait",
    ),
)

_CALLBACKS = (
    Counts(
        title="Callbacks by result",
        description="Callbacks by what became of them. Without a public URL there are none.",
        lines=[Line(expr=live(counts("bulkfax_callbacks_total", by="result")), legend="{{result}}")],
        alert="BulkfaxForgedCallbacks",
    ),
    Graph(
        title="From the end of a fax to its settled callback",
        description="Time from the end of a fax, as the provider tells it, until its callback is settled.",
        unit="s",
        lines=[
            Line(expr=quantile(share, "bulkfax_callback_lag_seconds"), legend=f"p{share * 100:g}") for share in _SHARES
        ],
        alert="BulkfaxInboxOld",
    ),
    Graph(
        title="Answers to callbacks, p95",
        description="Time until web has answered a callback, by result.",
        unit="s",
        lines=[
            Line(expr=live(process_quantile(0.95, "bulkfax_callback_seconds", by="result")), legend="{{result}}"),
        ],
    ),
)

_READS = (
    Graph(
        title="Unclear attempts",
        description="Attempts that the provider may have accepted, which are searched for.",
        lines=[Line(expr=level("bulkfax_unclear_attempts"), legend="looked for")],
        alert="BulkfaxUnclearOld",
    ),
    Counts(
        title="Reads at the provider",
        description="Reads of faxes and of lists of faxes. no_permit: the account's rate left no room in time.",
        lines=[
            Line(
                expr=live(process_counts("bulkfax_provider_reads_total", by="kind, result")),
                legend="{{kind}}: {{result}}",
            )
        ],
    ),
    Counts(
        title="Requests for an access token",
        description="Requests for an access token, by result.",
        lines=[Line(expr=live(process_counts("bulkfax_token_requests_total", by="result")), legend="{{result}}")],
    ),
)

_PAGES = (
    Counts(
        title="Pages that arrived",
        description="Pages that arrived, of delivered and of failed faxes.",
        lines=[Line(expr=live(counts("bulkfax_pages_total")), legend="pages")],
    ),
    Counts(
        title="Cost",
        description="What the provider charged for faxes, in units of the currency.",
        decimals=2,
        lines=[Line(expr=live(counts("bulkfax_cost_total", by="currency")), legend="{{currency}}")],
    ),
    Graph(
        title="Requests that run, and connections",
        description="Requests to the provider that run or wait for a connection, and how many may run.",
        lines=[
            Line(
                expr=added(of_processes("bulkfax_provider_requests_running"), "pool"),
                legend="{{pool}}",
            ),
            Line(
                expr=added(of_processes("bulkfax_provider_connections_limit"), "pool"),
                legend="{{pool}}: at most",
            ),
        ],
    ),
)

BOARD = Board(
    name="provider",
    title="provider",
    description="How the provider answers, how the account's limits are used, and how callbacks arrive.",
    rows={
        "Now": _NOW,
        "Sends": _SENDS,
        "Limits": _LIMITS,
        "Callbacks": _CALLBACKS,
        "Look-ups": _READS,
        "Pages, cost, connections": _PAGES,
    },
)
