"""Tests that the dashboard is the one that its script generates, and that Grafana can show it."""

import re
import runpy
from itertools import combinations
from typing import Any

import pytest

from tests.grafana.expressions import GRAFANA, dashboard, panel_expressions, panels

WIDTH = 24


# Every version of Grafana reads the classic format from a file; the library recommends the next one.
@pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")
def test_the_committed_dashboard_is_the_generated_one() -> None:
    generated = runpy.run_path(str(GRAFANA / "generate.py"))["dashboard_text"]()
    assert generated == (GRAFANA / "dashboards" / "bulkfax.json").read_text(encoding="utf-8"), (
        "run .venv/bin/python grafana/generate.py and commit its output"
    )


def test_the_dashboard_keeps_its_address() -> None:
    assert dashboard()["uid"] == "bulkfax"
    assert "id" not in dashboard()


def test_panels_have_ids_of_their_own() -> None:
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    assert min(ids) > 0


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: str(panel["title"]))
def test_a_panel_says_what_it_shows_and_in_what_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: str(panel["title"]))
def test_every_line_of_a_panel_is_named(panel: dict[str, Any]) -> None:
    legends = [target["legendFormat"] for target in panel["targets"]]
    assert all(legends)
    assert len(set(legends)) == len(legends)


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: str(panel["title"]))
def test_a_panel_takes_the_data_source_that_is_chosen_above_it(panel: dict[str, Any]) -> None:
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


@pytest.mark.parametrize("expression", sorted(set(panel_expressions())))
def test_a_query_reads_the_installation_that_is_chosen_above_it(expression: str) -> None:
    assert expression.count("bulkfax_") == expression.count('{job="$job"')


@pytest.mark.parametrize("expression", sorted(set(panel_expressions())))
def test_a_rate_is_taken_over_the_interval_that_fits_the_scraping(expression: str) -> None:
    assert set(re.findall(r"\brate\(.*?\[(.*?)\]", expression)) <= {"$__rate_interval"}
    assert set(re.findall(r"\[(.*?)\]", expression)) <= {"$__rate_interval", "$__range"}


def test_panels_lie_within_the_grid_and_do_not_overlap() -> None:
    boxes = [panel["gridPos"] for panel in dashboard()["panels"]]
    assert all(box["x"] + box["w"] <= WIDTH for box in boxes)
    for box, other in combinations(boxes, 2):
        beside = box["x"] + box["w"] <= other["x"] or other["x"] + other["w"] <= box["x"]
        above = box["y"] + box["h"] <= other["y"] or other["y"] + other["h"] <= box["y"]
        assert beside or above, (box, other)
