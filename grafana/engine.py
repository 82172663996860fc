"""The dashboard of the engine: processes, scheduler and workers, leases, Redis, API and webhooks."""

from grafana.board import Board
from grafana.panels import Column, Counts, Graph, Line, Number, Ranking, Table
from grafana.queries import (
    RATE,
    added,
    counts,
    level,
    live,
    of_processes,
    process_counts,
    process_quantile,
    process_total,
    top,
)

#: the age of a process that was never seen is infinite, which no panel can draw
_FINITE = "< +Inf"
_PROCESS, _ADDRESSED = "process, instance", "{{process}} {{instance}}"
_REQUESTS = "bulkfax_http_requests_total"
_MEMORY, _MEMORY_LIMIT = level("bulkfax_redis_memory_bytes"), level("bulkfax_redis_memory_limit_bytes")
_SAFE = level("bulkfax_redis_durability", 'level="safe"')
_UNSAFE = level("bulkfax_redis_durability", 'level="unsafe"')
_HALF, _MOST = 0.5, 0.95


def _seen(process: str) -> str:
    seen = level("bulkfax_last_seen_seconds", f'process="{process}"')
    return f"{seen} {_FINITE}"


_NOW = (
    Number(
        title="Web",
        description="Web processes that Prometheus can scrape.",
        expr='sum(up{job="$job"})',
        red_below=1,
        width=3,
        alert="BulkfaxDown",
    ),
    Number(
        title="Worker processes",
        description="Worker processes that are alive.",
        expr=level("bulkfax_worker_processes"),
        red_below=1,
        width=3,
        alert="BulkfaxWorkersGone",
    ),
    Number(
        title="Worker seen",
        description="Time since any worker was last active.",
        unit="s",
        expr=_seen("worker"),
        red_from=60,
        width=3,
        alert="BulkfaxWorkersGone",
    ),
    Number(
        title="Scheduler seen",
        description="Time since any scheduler was last active.",
        unit="s",
        expr=_seen("scheduler"),
        red_from=60,
        width=3,
        alert="BulkfaxSchedulerGone",
    ),
    Number(
        title="Inbox",
        description="Age of the oldest callback that is stored but not settled.",
        unit="s",
        expr=level("bulkfax_oldest_inbox_event_seconds"),
        red_from=60,
        width=3,
        alert="BulkfaxInboxOld",
    ),
    Number(
        title="Memory of Redis",
        description="Memory that Redis uses.",
        unit="bytes",
        expr=_MEMORY,
        width=3,
        alert="BulkfaxRedisFillsUp",
    ),
    Number(
        title="Durable",
        description="Whether the settings of Redis keep what it acknowledged: yes, no, or it does not tell enough.",
        expr=f"{_SAFE} - {_UNSAFE}",
        orange_below=1,
        red_below=0,
        texts={"1": "yes", "0": "unknown", "-1": "no"},
        width=3,
        alert="BulkfaxDurabilityLost",
    ),
    Number(
        title="Errors",
        decimals=0,
        description="Messages of this time range that failed in a way that nobody foresaw.",
        expr=process_total("bulkfax_messages_total", 'result="failed"'),
        red_from=1,
        width=3,
        alert="BulkfaxUnforeseenErrors",
    ),
)

_PROCESSES = (
    Graph(
        title="CPU",
        description="CPU time that each process uses: 100 % is one CPU.",
        unit="percentunit",
        lines=[
            Line(expr=added(f"rate({of_processes('process_cpu_seconds_total')}[{RATE}])", _PROCESS), legend=_ADDRESSED)
        ],
        alert="BulkfaxEventLoopLag",
    ),
    Graph(
        title="Memory",
        description="Resident memory of each process.",
        unit="bytes",
        lines=[Line(expr=added(of_processes("process_resident_memory_bytes"), _PROCESS), legend=_ADDRESSED)],
        alert="BulkfaxProcessRestarts",
    ),
    Graph(
        title="Open files",
        description="Open files and connections of each process.",
        lines=[Line(expr=added(of_processes("process_open_fds"), _PROCESS), legend=_ADDRESSED)],
    ),
    Graph(
        title="Event loop lag, p95",
        description="How late the event loop of each process runs what is due.",
        unit="s",
        lines=[
            Line(
                expr=process_quantile(_MOST, "bulkfax_event_loop_lag_seconds", by=_PROCESS),
                legend=_ADDRESSED,
            )
        ],
        alert="BulkfaxEventLoopLag",
    ),
    Counts(
        title="Warnings and errors in the logs",
        description="Lines logged, by level and process, also those that are left out because they repeat others.",
        lines=[
            Line(
                expr=live(process_counts("bulkfax_log_lines_total", 'level=~"warning|error"', by="level, process")),
                legend="{{level}}: {{process}}",
            )
        ],
    ),
    Table(
        title="Versions",
        description="Processes that run, by version. While an upgrade runs there are two.",
        labels={"component": "Component", "version": "bulkfax", "python": "Python"},
        columns=[
            Column(
                title="Processes", expr=f"count by (component, version, python) ({of_processes('bulkfax_build_info')})"
            )
        ],
        order="Processes",
    ),
)

_WORK = (
    Graph(
        title="Jobs in flight by state",
        description="Leases, sends, unclear attempts, accepted faxes. Each has a time at which it is checked.",
        lines=[Line(expr=level("bulkfax_in_flight", by="state"), legend="{{state}}")],
        alert="BulkfaxNotSending",
    ),
    Graph(
        title="Turns of the scheduler",
        description="Duration of the scheduler's turns, in which it leases due jobs and sends messages.",
        unit="s",
        lines=[
            Line(expr=process_quantile(share, "bulkfax_scheduler_turn_seconds"), legend=f"p{share * 100:g}")
            for share in (_HALF, _MOST)
        ],
    ),
    Graph(
        title="Last seen",
        description="Time since any scheduler, and any worker, was last active.",
        unit="s",
        lines=[Line(expr=f"{level('bulkfax_last_seen_seconds', by='process')} {_FINITE}", legend="{{process}}")],
        alert="BulkfaxSchedulerGone",
    ),
    Counts(
        title="Messages",
        description="Messages processed by workers, by queue and result.",
        lines=[
            Line(
                expr=live(process_counts("bulkfax_messages_total", by="queue, result")), legend="{{queue}}: {{result}}"
            )
        ],
        alert="BulkfaxUnforeseenErrors",
    ),
    Graph(
        title="Time of a message, p95",
        description="Duration of the processing of a message, by queue.",
        unit="s",
        lines=[Line(expr=live(process_quantile(_MOST, "bulkfax_message_seconds", by="queue")), legend="{{queue}}")],
    ),
    Counts(
        title="Slots missed, attempts without an end",
        description="Attempts that were given back because a worker was too late, and those whose worker ended.",
        lines=[
            Line(expr=live(counts("bulkfax_attempts_total", 'outcome="missed_slot"')), legend="missed slot"),
            Line(expr=live(counts("bulkfax_attempts_unended_total")), legend="without an end"),
        ],
        alert="BulkfaxMissedSlots",
    ),
)

_REDIS = (
    Graph(
        title="Memory of Redis",
        description="Memory that Redis uses, and maxmemory if it is limited.",
        unit="bytes",
        lines=[Line(expr=_MEMORY, legend="used"), Line(expr=live(_MEMORY_LIMIT), legend="limit")],
        alert="BulkfaxRedisFillsUp",
    ),
    Graph(
        title="Round trip to Redis",
        description="Duration of one command, from the slowest web process.",
        unit="s",
        lines=[Line(expr=level("bulkfax_redis_round_trip_seconds"), legend="round trip")],
    ),
    Graph(
        title="Connections to Redis",
        description="Connections of all processes, by pool.",
        lines=[
            Line(
                expr=added(of_processes("bulkfax_redis_connections"), "pool, state"),
                legend="{{pool}}: {{state}}",
            )
        ],
        stacked=True,
    ),
)

_API = (
    Counts(
        title="Requests by status",
        description="Requests that web answered, by class of the status.",
        lines=[Line(expr=live(process_counts(_REQUESTS, by="status")), legend="{{status}}")],
        alert="BulkfaxApiErrors",
    ),
    Ranking(
        title="Slowest routes, p95",
        description="Time until the first byte of an answer, by route, now.",
        unit="s",
        expr=top(10, process_quantile(_MOST, "bulkfax_http_request_seconds", by="method, route")),
        legend="{{method}} {{route}}",
    ),
    Ranking(
        title="Refused and failed requests by route",
        description="Requests of this time range that were answered with 4xx or 5xx.",
        unit="locale",
        decimals=0,
        expr=top(10, process_total(_REQUESTS, 'status=~"4xx|5xx"', by="method, route, status")),
        legend="{{status}} {{method}} {{route}}",
    ),
)

_WEBHOOKS = (
    Counts(
        title="Deliveries to webhook endpoints",
        description="Attempts by result. A failed one is repeated for three days.",
        lines=[Line(expr=live(counts("bulkfax_webhook_deliveries_total", by="result")), legend="{{result}}")],
        alert="BulkfaxWebhooksLate",
    ),
    Graph(
        title="Webhooks: age of the oldest event that waits",
        description="How late the slowest enabled endpoint is.",
        unit="s",
        lines=[Line(expr=level("bulkfax_webhook_lag_seconds"), legend="oldest")],
        alert="BulkfaxWebhooksLate",
    ),
    Graph(
        title="Webhook endpoints",
        description="Endpoints that are enabled, failed for three days, or were disabled by somebody.",
        lines=[Line(expr=level("bulkfax_webhook_endpoints", by="state"), legend="{{state}}")],
        stacked=True,
        alert="BulkfaxWebhooksLate",
    ),
)

BOARD = Board(
    name="engine",
    title="engine",
    description="Processes, scheduler and workers, leases, Redis, API and webhooks.",
    rows={
        "Now": _NOW,
        "Processes": _PROCESSES,
        "Scheduler, workers, leases": _WORK,
        "Redis": _REDIS,
        "API": _API,
        "Webhooks": _WEBHOOKS,
    },
)
