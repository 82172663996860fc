"""The dashboard of failures: what fails, where, with which codes, and what retries bring."""

from grafana.board import Board
from grafana.panels import Counts, Graph, Line, Number, Ranking
from grafana.queries import added, counts, level, live, rate, top, total

_ENDED = "state, category"
_FAILED = ("bulkfax_jobs_final_total", 'state="failed"')
_RETRIED = "bulkfax_retries_total"
_BOTH = "category, result"


def _delivered_retries(by: str = "") -> str:
    return added(total(_RETRIED, 'result="delivered"', by=_BOTH), by)


_COUNTRY_FAILED = total("bulkfax_country_attempts_total", 'result="failed"', by="country")
_COUNTRY_ALL = added(total("bulkfax_country_attempts_total", by="country, result"), "country")
_FIRST_CALLS = rate("bulkfax_first_calls_total", 'category!="none"', by="category")
_ALL_FIRST_CALLS = added(rate("bulkfax_first_calls_total", by="category"))

_NOW = (
    Number(
        title="Failed jobs",
        description="Jobs that failed for good in this time range.",
        unit="locale",
        decimals=0,
        expr=added(total(*_FAILED, by=_ENDED)),
        width=4,
        alert="BulkfaxFailuresFast",
    ),
    Number(
        title="Expired jobs",
        description="Jobs whose batch missed its deadline in this time range.",
        unit="locale",
        decimals=0,
        expr=added(total("bulkfax_jobs_final_total", 'state="expired"', by=_ENDED)),
        red_from=1,
        width=4,
        alert="BulkfaxDeadlineMissed",
    ),
    Number(
        title="Failed attempts",
        description="Attempts that failed, were refused or were not found in this time range. Most are retried.",
        unit="locale",
        decimals=0,
        expr=added(total("bulkfax_failures_total", by="category")),
        width=4,
    ),
    Number(
        title="Retries that delivered",
        description="Share of the attempts after a failure that delivered the fax, in this time range.",
        unit="percentunit",
        expr=f"{_delivered_retries()} / ({added(total(_RETRIED, by=_BOTH))} > 0)",
        width=4,
    ),
    Number(
        title="Suppressed",
        description="Jobs that were cancelled in this time range because their number is on the do-not-fax list.",
        unit="locale",
        decimals=0,
        expr=total("bulkfax_jobs_final_total", 'category="suppressed"'),
        width=4,
    ),
    Number(
        title="Dead numbers",
        description="Calls of this time range that proved a number dead.",
        unit="locale",
        decimals=0,
        expr=added(total("bulkfax_dead_numbers_total", by="result")),
        width=4,
    ),
)

_CATEGORIES = (
    Counts(
        title="Failed attempts by category",
        description="Attempts that failed, were refused or were not found. Most are retried.",
        lines=[Line(expr=live(counts("bulkfax_failures_total", by="category")), legend="{{category}}")],
        width=12,
        alert="BulkfaxFailureShare",
    ),
    Counts(
        title="Jobs that failed for good, by category",
        description="Jobs that ended as failed, by the category of their last failure.",
        lines=[Line(expr=live(added(counts(*_FAILED, by=_ENDED), "category")), legend="{{category}}")],
        width=12,
        alert="BulkfaxFailuresFast",
    ),
    Ranking(
        title="Most frequent categories",
        description="Failed attempts of this time range, by category.",
        unit="locale",
        decimals=0,
        expr=top(12, total("bulkfax_failures_total", by="category")),
        legend="{{category}}",
    ),
    Ranking(
        title="Most frequent codes",
        description="Failures of this time range by the provider's error type and code, or by HTTP status. "
        "bulkfax policy explain TYPE CODE says what one means.",
        unit="locale",
        decimals=0,
        expr=top(12, total("bulkfax_failure_codes_total", by="error_type, error_code")),
        legend="{{error_type}} {{error_code}}",
    ),
    Ranking(
        title="Countries with most failures",
        description="Failed attempts of this time range, by country of the number.",
        unit="locale",
        decimals=0,
        expr=top(12, _COUNTRY_FAILED),
        legend="{{country}}",
    ),
)

_CALLS = (
    Counts(
        title="First calls by their end",
        description="First calls to recipients, by category; none: delivered. Retries are not counted.",
        lines=[Line(expr=live(counts("bulkfax_first_calls_total", by="category")), legend="{{category}}")],
        width=12,
        alert="BulkfaxFirstCallsFail",
    ),
    Graph(
        title="Share of first calls that fail, by category",
        description="Share of all first calls that ended. A category alerts from 30 % on, all together from 80 %.",
        unit="percentunit",
        lines=[
            Line(
                expr=live(f"{_FIRST_CALLS} / on () group_left () ({_ALL_FIRST_CALLS} > 0)"),
                legend="{{category}}",
            )
        ],
        stacked=True,
        width=12,
        alert="BulkfaxFailureShare",
    ),
)

_RETRIES = (
    Counts(
        title="Failures after which a job waits, by category",
        description="It waits for its next attempt, or for the end of a hold.",
        lines=[Line(expr=live(counts("bulkfax_retries_scheduled_total", by="category")), legend="{{category}}")],
        width=12,
    ),
    Counts(
        title="Attempts after a failure, by result",
        description="Attempts that ended, of jobs that had failed before.",
        lines=[Line(expr=live(added(counts(_RETRIED, by=_BOTH), "result")), legend="{{result}}")],
        width=12,
    ),
    Ranking(
        title="Yield of retries by category",
        description="Share of the attempts after such a failure that delivered the fax, in this time range.",
        unit="percentunit",
        expr=top(12, f"{_delivered_retries('category')} / ({added(total(_RETRIED, by=_BOTH), 'category')} > 0)"),
        legend="{{category}}",
        width=12,
    ),
    Ranking(
        title="Share of attempts that fail, by country",
        description="Of the attempts of this time range that delivered or failed, in countries with ten or more.",
        unit="percentunit",
        expr=top(12, f"{_COUNTRY_FAILED} / ({_COUNTRY_ALL} >= 10)"),
        legend="{{country}}",
        width=12,
    ),
)

_ENDS = (
    Counts(
        title="Jobs that ended, by error type",
        description="By the error type of their last failure. Excludes jobs without failure.",
        lines=[
            Line(
                expr=live(counts("bulkfax_job_error_types_total", 'error_type!="none"', by="error_type")),
                legend="{{error_type}}",
            )
        ],
        width=12,
    ),
    Counts(
        title="Jobs that were not sent to the end",
        description="Jobs that expired, or were cancelled: by somebody, or because of the do-not-fax list.",
        lines=[
            Line(
                expr=live(counts("bulkfax_jobs_final_total", 'state=~"expired|cancelled"', by=_ENDED)),
                legend="{{state}}: {{category}}",
            )
        ],
        width=12,
        alert="BulkfaxDeadlineMissed",
    ),
    Graph(
        title="Do-not-fax list",
        description="Entries by source. Dead numbers that have expired are remembered for a year.",
        lines=[Line(expr=level("bulkfax_suppressions", by="source"), legend="{{source}}")],
        stacked=True,
        width=12,
    ),
    Counts(
        title="Calls to dead numbers",
        description="Calls that proved a number dead. not_added: too many were dead, so it is not on the list.",
        lines=[Line(expr=live(counts("bulkfax_dead_numbers_total", by="result")), legend="{{result}}")],
        width=12,
    ),
)

BOARD = Board(
    name="failures",
    title="failures",
    description="What fails: categories, codes, countries, and what retries bring.",
    rows={
        "Now": _NOW,
        "Categories, codes, countries": _CATEGORIES,
        "First calls": _CALLS,
        "Retries": _RETRIES,
        "Jobs that ended, numbers": _ENDS,
    },
)
