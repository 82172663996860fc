"""A dashboard: its rows, and what all dashboards have: variables, links and annotations."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from grafana.panels import RUNBOOK, SOURCE, Panel
from grafana.queries import level, of_processes, selected

_TAG = "bulkfax"
#: seconds between the points of an annotation, and the window that a change is looked for in: it spans two points
_STEP, _WINDOW = "60s", "2m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard."""

    #: how its address goes on after ``bulkfax``; empty: the one to begin with
    name: str
    title: str
    description: str
    rows: Mapping[str, Sequence[Panel]]
    #: the labels that can be chosen at the top, each with a query for its values
    choices: Mapping[str, str] | None = None

    @property
    def uid(self) -> str:
        """Its address, which is also the name of its file."""
        return f"bulkfax-{self.name}" if self.name else "bulkfax"

    def text(self) -> str:
        """Return the dashboard as JSON with sorted keys, so that equal panels give equal text."""
        builder = _empty(self)
        number = 0
        for title, panels in self.rows.items():
            number += 1
            builder.with_row(dashboard.Row(title).id(number))
            for panel in panels:
                number += 1
                builder.with_panel(panel.builder().id(number))
        return json.dumps(builder.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _empty(board: Board) -> dashboard.Dashboard:
    """Return a dashboard without panels, with selectors for data source and installation at the top."""
    builder = (
        dashboard.Dashboard(f"bulkfax: {board.title}")
        .uid(board.uid)
        .description(board.description)
        .tags([_TAG])
        .time("now-3h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_choice("job", "label_values(bulkfax_rate_limit_per_second, job)").label("Installation"))
        .links([_others(), _runbook()])
        .annotations(list(_annotations()))
    )
    for name, query in (board.choices or {}).items():
        builder.with_variable(_choice(name, query).label(name.capitalize()).include_all(True).multi(True))
    return builder


def _choice(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .datasource(SOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def _others() -> dashboard.DashboardLink:
    """Return links to the other dashboards, which keep the time range and the installation."""
    return (
        dashboard.DashboardLink("bulkfax")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([_TAG])
        .include_vars(True)
        .keep_time(True)
    )


def _runbook() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("Runbook").type(models.DashboardLinkType.LINK).url(RUNBOOK).icon("doc")
    return link.target_blank(True)


def _annotations() -> Sequence[dashboard.AnnotationQuery]:
    """Return what is marked in every graph: holds, changes of the rate, and new versions."""
    limit = selected("bulkfax_rate_limit_per_second")
    version = f"count by (version) ({of_processes('bulkfax_build_info')})"
    before = f"count by (version) ({of_processes('bulkfax_build_info')} offset {_WINDOW})"
    holds = level("bulkfax_holds", 'kind!="job"', by="kind, category")
    return (
        _annotation("Holds", f"{holds} > 0", "orange", "{{kind}} held: {{category}}"),
        _annotation("Rate changed", f"max(changes({limit}[{_WINDOW}])) > 0", "blue", "the account's limit was changed"),
        _annotation("Deployment", f"{version} unless {before}", "purple", "version {{version}}"),
    )


def _annotation(name: str, expr: str, color: str, text: str) -> dashboard.AnnotationQuery:
    query = dashboard.AnnotationQuery().name(name).datasource(SOURCE).enable(True).icon_color(color)
    return query.expr(expr).step(_STEP).title_format(name).text_format(text)
