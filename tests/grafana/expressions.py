"""The PromQL expressions of dashboard and rules, and what they read."""

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
    document: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "bulkfax.json").read_text(encoding="utf-8"))
    return document


def panels() -> list[dict[str, Any]]:
    """All panels that show something; rows only head them."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def panel_expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


@cache
def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((GRAFANA / "rules" / "bulkfax.yaml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def all_expressions() -> list[str]:
    return [*panel_expressions(), *(rule["expr"] for rule in rules())]


def parsed(expression: str) -> Expr:
    """Raises ValueError for what is no PromQL."""
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    return promql_parser.parse(expression)


def parts(expression: Expr) -> list[Expr]:
    """The expression and everything in it."""
    found: list[Expr] = []
    promql_parser.walk(expression, found.append)
    return found


def metrics_read(expression: str) -> set[str]:
    """Names of all series that the expression reads, recorded ones included."""
    return {str(part.name) for part in parts(parsed(expression)) if isinstance(part, VectorSelector)}


def read_below(expression: Expr) -> Iterator[str]:
    """Names of the series that reach this expression without having been aggregated before."""
    match expression:
        case VectorSelector():
            yield str(expression.name)
        case MatrixSelector():
            yield str(expression.vector_selector.name)
        case ParenExpr() | SubqueryExpr():
            yield from read_below(expression.expr)
        case Call():
            for argument in expression.args:
                yield from read_below(argument)


def first_aggregations(expression: str) -> Iterator[tuple[str, str]]:
    """Each series that is aggregated, with the operator that meets it first."""
    for part in parts(parsed(expression)):
        if isinstance(part, AggregateExpr):
            yield from ((name, str(part.op)) for name in read_below(part.expr))
