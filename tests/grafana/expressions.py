"""Reads the PromQL expressions of dashboards and rules, and the series that they use."""

import json
from collections.abc import Iterator
from functools import cache, reduce
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from promql_parser import AggregateExpr, Call, Expr, MatrixSelector, ParenExpr, SubqueryExpr, VectorSelector

GRAFANA = Path(__file__).parent.parent.parent / "grafana"
#: the job of the installation in expressions whose variables have values
JOB = "bulkfax"
_VALUES = {
    "${job}": JOB,
    "$job": JOB,
    "$batch": ".*",
    "$__rate_interval": "1m",
    "$__interval": "1m",
    "$__range": "1h",
}


@cache
def dashboards() -> dict[str, dict[str, Any]]:
    """Return the committed dashboards, by the names of their files without the ending."""
    paths = sorted((GRAFANA / "dashboards").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def panels() -> list[tuple[str, dict[str, Any]]]:
    """Return all panels with the names of their dashboards, except rows, which are only headings."""
    return [
        (name, panel)
        for name, dashboard in dashboards().items()
        for panel in dashboard["panels"]
        if panel["type"] != "row"
    ]


def panel_expressions() -> list[str]:
    """Return the expressions of all panels."""
    return [target["expr"] for _, panel in panels() for target in panel["targets"]]


def annotation_expressions() -> list[str]:
    """Return the expressions of the annotations of all dashboards."""
    return [mark["expr"] for dashboard in dashboards().values() for mark in dashboard["annotations"]["list"]]


@cache
def rules() -> list[dict[str, Any]]:
    """Return all alerting and recording rules."""
    document = yaml.safe_load((GRAFANA / "rules" / "bulkfax.yaml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def all_expressions() -> list[str]:
    """Return the expressions of panels, annotations and rules."""
    return [*panel_expressions(), *annotation_expressions(), *(rule["expr"] for rule in rules())]


def with_values(expression: str) -> str:
    """Return an expression with values in place of Grafana's variables."""
    return reduce(lambda text, name: text.replace(name, _VALUES[name]), _VALUES, expression)


def parse(expression: str) -> Expr:
    """Parse an expression.

    Raises:
        ValueError: The expression is not valid PromQL.
    """
    return promql_parser.parse(with_values(expression))


def subexpressions(expression: Expr) -> list[Expr]:
    """Return the expression and all its subexpressions."""
    nodes: list[Expr] = []
    promql_parser.walk(expression, nodes.append)
    return nodes


def metrics_read(expression: str) -> set[str]:
    """Return the names of all series that the expression reads, including recorded ones."""
    return {str(node.name) for node in subexpressions(parse(expression)) if isinstance(node, VectorSelector)}


def unaggregated_series(expression: Expr) -> Iterator[str]:
    """Yield the names of the series in this expression that no inner expression aggregates."""
    match expression:
        case VectorSelector():
            yield str(expression.name)
        case MatrixSelector():
            yield str(expression.vector_selector.name)
        case ParenExpr() | SubqueryExpr():
            yield from unaggregated_series(expression.expr)
        case Call():
            for argument in expression.args:
                yield from unaggregated_series(argument)


def first_aggregations(expression: str) -> Iterator[tuple[str, str]]:
    """Yield each aggregated series with the operator that aggregates it first."""
    for node in subexpressions(parse(expression)):
        if isinstance(node, AggregateExpr):
            yield from ((name, str(node.op)) for name in unaggregated_series(node.expr))
