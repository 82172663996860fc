"""Reads the PromQL expressions of dashboard and rules, and the series that they use."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from promql_parser import AggregateExpr, Call, Expr, MatrixSelector, ParenExpr, SubqueryExpr, VectorSelector

GRAFANA = Path(__file__).parent.parent.parent / "grafana"
_VARIABLES = {"$__rate_interval": "1m", "$__range": "1h"}


@cache
def dashboard() -> dict[str, Any]:
    """Return the committed dashboard."""
    document: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "bulkfax.json").read_text(encoding="utf-8"))
    return document


def panels() -> list[dict[str, Any]]:
    """Return all panels except rows, which are only headings."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def panel_expressions() -> list[str]:
    """Return the expressions of all panels."""
    return [target["expr"] for panel in panels() for target in panel["targets"]]


@cache
def rules() -> list[dict[str, Any]]:
    """Return all alerting and recording rules."""
    document = yaml.safe_load((GRAFANA / "rules" / "bulkfax.yaml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def all_expressions() -> list[str]:
    """Return the expressions of panels and rules."""
    return [*panel_expressions(), *(rule["expr"] for rule in rules())]


def parse(expression: str) -> Expr:
    """Parse an expression.

    Raises:
        ValueError: The expression is not valid PromQL.
    """
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    return promql_parser.parse(expression)


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
