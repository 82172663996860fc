"""The shapes of panels: a number, lines, counts as bars, a ranking, a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
#: where the rules and dashboards find the runbook; whoever installs them replaces it by an address
RUNBOOK = "docs/runbook.md"
#: the part of an address that keeps time range, data source and installation
SAME = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}"
#: heights of panels in units of the grid, which is 24 wide
_NUMBER_HEIGHT, _HEIGHT = 4, 8
#: from this width on there is room for the legend beside a graph
_WIDE = 12
#: shortest interval of counts: some scrapes lie in it
_MIN_INTERVAL = "1m"
_GREEN, _ORANGE, _RED = "green", "orange", "red"

Builder = stat.Panel | timeseries.Panel | bargauge.Panel | table.Panel
Built = TypeVar("Built", bound=Builder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A query: a PromQL expression, and the legend of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What all panels have."""

    title: str
    description: str
    unit: str = "short"
    #: decimal places; None: as many as there is room for. Prometheus extrapolates counts, which are whole
    decimals: int | None = None
    width: int = 8
    #: the dashboard that shows more: the end of its uid
    more: str = ""
    #: the alert whose section in the runbook says what to do
    alert: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Shape):
    """One number. Its colour is green, unless a limit is given."""

    expr: str
    orange_from: float | None = None
    red_from: float | None = None
    orange_below: float | None = None
    red_below: float | None = None
    #: text that stands for values, such as a word for 1
    texts: Mapping[str, str] = field(default_factory=dict)

    def builder(self) -> Builder:
        """Return what Grafana draws."""
        panel = _with_links(
            stat.Panel()
            .title(self.title)
            .description(self.description)
            .datasource(SOURCE)
            .unit(self.unit)
            .thresholds(_thresholds(self._steps()))
            .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
            .with_target(_query(Line(expr=self.expr, legend=self.title), 0))
            .span(self.width)
            .height(_NUMBER_HEIGHT),
            self,
        )
        if self.texts:
            options = {value: models.ValueMappingResult(text=text) for value, text in self.texts.items()}
            panel.mappings([models.ValueMap(options=options)])
        return panel

    def _steps(self) -> list[tuple[float | None, str]]:
        if self.red_below is not None:
            orange = [] if self.orange_below is None else [(self.red_below, _ORANGE)]
            return [(None, _RED), *orange, (self.orange_below or self.red_below, _GREEN)]
        higher = [(self.orange_from, _ORANGE), (self.red_from, _RED)]
        return [(None, _GREEN), *(step for step in higher if step[0] is not None)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph(Shape):
    """Lines over time. The legend is a table with their values, the largest first."""

    lines: Sequence[Line]
    #: whether the lines are parts of a whole
    stacked: bool = False

    def builder(self) -> Builder:
        """Return what Grafana draws."""
        legend = _legend(["lastNotNull", "max"], "Max", self.width)
        return _time_series(self, self.lines, stacked=self.stacked).legend(legend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts(Shape):
    """How many there were in each interval, as bars upon each other. The legend is a table with the totals."""

    lines: Sequence[Line]
    unit: str = "locale"
    decimals: int | None = 0

    def builder(self) -> Builder:
        """Return what Grafana draws."""
        return (
            _time_series(self, self.lines, stacked=True)
            .draw_style(shapes.GraphDrawStyle.BARS)
            .fill_opacity(80)
            .line_width(0)
            .interval(_MIN_INTERVAL)
            .legend(_legend(["sum"], "Total", self.width))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking(Shape):
    """The largest values of now, or of the time range, as horizontal bars."""

    expr: str
    legend: str

    def builder(self) -> Builder:
        """Return what Grafana draws."""
        query = _query(Line(expr=self.expr, legend=self.legend), 0).instant()
        return _with_links(
            bargauge.Panel()
            .title(self.title)
            .description(self.description)
            .datasource(SOURCE)
            .unit(self.unit)
            .min(0)
            .no_value("none")
            .orientation(shapes.VizOrientation.HORIZONTAL)
            .display_mode(shapes.BarGaugeDisplayMode.BASIC)
            .value_mode(shapes.BarGaugeValueMode.TEXT)
            .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color("blue"))
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
            .with_target(query)
            .span(self.width)
            .height(_HEIGHT),
            self,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: the values of a query."""

    title: str
    expr: str
    unit: str = "short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Shape):
    """Values of now, by labels: one row for each combination of labels."""

    #: titles of the labels
    labels: Mapping[str, str]
    columns: Sequence[Column]
    #: title of the column that orders the rows, the largest value first
    order: str
    #: address behind the first label; ``${__value.text}`` is its value
    target: str = ""
    #: whether the values only say that the row exists
    hidden: bool = False

    def builder(self) -> Builder:
        """Return what Grafana draws."""
        panel = _with_links(
            table.Panel()
            .title(self.title)
            .description(self.description)
            .datasource(SOURCE)
            .unit(self.unit)
            .no_value("none")
            .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
            .with_transformation(models.DataTransformerConfig(id_val="organize", options=self._organised()))
            .sort_by([common.TableSortByFieldState().display_name(self.order).desc(True)])
            .span(self.width)
            .height(_HEIGHT),
            self,
        )
        for number, column in enumerate(self.columns):
            line = Line(expr=column.expr, legend=column.title)
            panel.with_target(_query(line, number).instant().format(PromQueryFormat.TABLE))
            panel.override_by_name(column.title, [models.DynamicConfigValue(id_val="unit", value=column.unit)])
        if self.target:
            link = {"title": "Show it", "url": self.target}
            first = next(iter(self.labels.values()))
            panel.override_by_name(first, [models.DynamicConfigValue(id_val="links", value=[link])])
        return panel

    def _organised(self) -> dict[str, object]:
        fields = {_value_field(number, len(self.columns)): column.title for number, column in enumerate(self.columns)}
        hidden = ["Time", *(fields if self.hidden else ())]
        order = [*self.labels, *fields]
        return {
            "excludeByName": dict.fromkeys(hidden, True),
            "renameByName": {**self.labels, **fields},
            "indexByName": {name: index for index, name in enumerate(order)},
        }


Panel = Number | Graph | Counts | Ranking | Table


def _value_field(number: int, columns: int) -> str:
    """Return the name that Grafana gives the values of a query: with one query it has no letter."""
    return f"Value #{_letter(number)}" if columns > 1 else "Value"


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def _query(line: Line, number: int) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(line.expr).legend_format(line.legend).ref_id(_letter(number)).datasource(SOURCE)


def _with_links(panel: Built, shape: Shape) -> Built:
    if shape.decimals is not None:
        panel.decimals(shape.decimals)
    links: list[cog.Builder[models.DashboardLink]] = []
    if shape.more:
        links.append(_link(f"Dashboard {shape.more}", f"/d/bulkfax-{shape.more}?{SAME}"))
    if shape.alert:
        links.append(_link(f"Runbook: {shape.alert}", f"{RUNBOOK}#{shape.alert.lower()}"))
    if links:
        panel.links(links)
    return panel


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).url(url)


def _thresholds(steps: Sequence[tuple[float | None, str]]) -> dashboard.ThresholdsConfig:
    built = [models.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(built)


def _legend(calcs: list[str], order: str, width: int) -> common.VizLegendOptions:
    placement = shapes.LegendPlacement.RIGHT if width >= _WIDE else shapes.LegendPlacement.BOTTOM
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(shapes.LegendDisplayMode.TABLE)
        .placement(placement)
        .calcs(calcs)
        .sort_by(order)
        .sort_desc(True)
    )


def _time_series(shape: Shape, lines: Sequence[Line], *, stacked: bool) -> timeseries.Panel:
    mode = shapes.StackingMode.NORMAL if stacked else shapes.StackingMode.NONE
    panel = _with_links(
        timeseries.Panel()
        .title(shape.title)
        .description(shape.description)
        .datasource(SOURCE)
        .unit(shape.unit)
        .min(0)
        .fill_opacity(30 if stacked else 0)
        .stacking(common.StackingConfig().mode(mode))
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .span(shape.width)
        .height(_HEIGHT),
        shape,
    )
    for number, line in enumerate(lines):
        panel.with_target(_query(line, number))
    return panel
