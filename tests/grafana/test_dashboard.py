"""Tests that Grafana can show the dashboards, and that they keep to what makes them easy to read.

tests/api/test_description.py tests that they are the ones that ``./run generate`` writes.
"""

import re
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import pytest

from grafana.files import RULES, with_addresses
from grafana.overview import OBJECTIVE, THEIR_LINE
from grafana.queries import INTERVAL, RANGE, RATE
from tests.grafana.expressions import GRAFANA, annotation_expressions, dashboards, panel_expressions, panels, rules
from tests.grafana.markdown import anchors

WIDTH = 24
PANELS = [pytest.param(panel, id=f"{name}: {panel['title']}") for name, panel in panels()]
EXPRESSIONS = sorted({*panel_expressions(), *annotation_expressions()})


def test_dashboards_keep_their_addresses() -> None:
    uids = {name: dashboard["uid"] for name, dashboard in dashboards().items()}
    assert set(uids) == {"bulkfax", *(f"bulkfax-{name}" for name in ("batch", "engine", "failures", "provider"))}
    assert all(name == uid for name, uid in uids.items())
    assert not any("id" in dashboard for dashboard in dashboards().values())


@pytest.mark.parametrize("name", dashboards())
def test_panels_have_ids_of_their_own(name: str) -> None:
    ids = [panel["id"] for panel in dashboards()[name]["panels"]]
    assert len(set(ids)) == len(ids)
    assert min(ids) > 0


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_and_in_what_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("panel", PANELS)
def test_every_line_of_a_panel_is_named(panel: dict[str, Any]) -> None:
    legends = [target["legendFormat"] for target in panel["targets"]]
    assert all(legends)
    assert len(set(legends)) == len(legends)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_takes_the_data_source_that_is_chosen_above_it(panel: dict[str, Any]) -> None:
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


@pytest.mark.parametrize("panel", PANELS)
def test_the_legend_of_a_graph_is_a_sorted_table(panel: dict[str, Any]) -> None:
    if panel["type"] == "timeseries":
        legend = panel["options"]["legend"]
        assert legend["displayMode"] == "table"
        assert legend["sortBy"] in {"Max", "Total"}
        assert legend["sortDesc"]


@pytest.mark.parametrize("panel", PANELS)
def test_counts_have_totals_an_interval_that_contains_scrapes_and_only_live_series(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        if INTERVAL in target["expr"]:
            assert panel["interval"] == "1m"
            assert panel["options"]["legend"]["calcs"] == ["sum"]
            assert target["expr"].endswith(" > 0")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_reads_the_installation_that_is_chosen_above_it(expression: str) -> None:
    selectors = re.findall(r"[\w:]+\{([^}]*?(?:\$\{job\}[^}]*)?)\}", expression)
    assert selectors
    assert all(selector.startswith(('job="$job"', 'job="${job}-processes"')) for selector in selectors)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_rate_is_taken_over_the_interval_that_fits_the_scraping(expression: str) -> None:
    assert set(re.findall(r"\brate\(.*?\[(.*?)\]", expression)) <= {RATE}
    if expression not in annotation_expressions():
        assert set(re.findall(r"\[(.*?)\]", expression)) <= {RATE, INTERVAL, RANGE}


@pytest.mark.parametrize("name", dashboards())
def test_panels_fill_the_width_of_the_grid_and_do_not_overlap(name: str) -> None:
    boxes = [(panel["type"], panel["gridPos"]) for panel in dashboards()[name]["panels"]]
    assert all(box["x"] + box["w"] <= WIDTH for _, box in boxes)
    for (_, box), (_, other) in combinations(boxes, 2):
        beside = box["x"] + box["w"] <= other["x"] or other["x"] + other["w"] <= box["x"]
        above = box["y"] + box["h"] <= other["y"] or other["y"] + other["h"] <= box["y"]
        assert beside or above, (box, other)
    shown = [box for kind, box in boxes if kind != "row"]
    for _, line in groupby(shown, key=lambda box: box["y"]):
        together = list(line)
        assert sum(box["w"] for box in together) == WIDTH, together
        assert len({box["h"] for box in together}) == 1, together


@pytest.mark.parametrize("name", dashboards())
def test_a_dashboard_leads_to_the_others_and_to_the_runbook(name: str) -> None:
    others, runbook = dashboards()[name]["links"]
    assert (others["tags"], others["includeVars"], others["keepTime"]) == (["bulkfax"], True, True)
    assert dashboards()[name]["tags"] == ["bulkfax"]
    assert runbook["url"] == "docs/runbook.md"


@pytest.mark.parametrize("panel", PANELS)
def test_links_of_panels_lead_to_dashboards_and_sections_that_exist(panel: dict[str, Any], repository: Path) -> None:
    for link in panel.get("links", ()):
        if link["url"].startswith("/d/"):
            assert link["url"].split("?")[0].removeprefix("/d/") in dashboards()
        else:
            path, anchor = link["url"].split("#")
            assert anchor in anchors(repository / path)


@pytest.mark.parametrize("name", dashboards())
def test_graphs_mark_holds_changes_of_the_rate_and_deployments(name: str) -> None:
    marks = {mark["name"] for mark in dashboards()[name]["annotations"]["list"]}
    assert marks == {"Holds", "Rate changed", "Deployment"}


def test_dashboards_and_rules_have_the_same_objective() -> None:
    texts = [rule["expr"] for rule in rules() if rule.get("record", "").startswith("job:bulkfax_undelivered:")]
    assert all(f'category!~"{THEIR_LINE}"' in text for text in texts)
    (fast,) = (rule for rule in rules() if rule.get("alert") == "BulkfaxFailuresFast")
    assert f"{14.4 * OBJECTIVE:g}" in fast["expr"]


def test_addresses_of_ones_own_are_put_into_dashboards_and_rules() -> None:
    files = with_addresses(runbook="https://wiki.example.com/fax", grafana="https://grafana.example.com/")
    assert set(files) == {"rules/bulkfax.yaml", *(f"dashboards/{name}.json" for name in dashboards())}
    assert not any("docs/runbook.md" in text for text in files.values())
    text = files["rules/bulkfax.yaml"]
    assert "runbook_url: https://wiki.example.com/fax#bulkfaxdown" in text
    assert "dashboard_url: https://grafana.example.com/d/bulkfax-engine?var-job=" in text
    assert text.count("https://grafana.example.com/d/") == RULES.read_text(encoding="utf-8").count("dashboard_url:")
    assert RULES == GRAFANA / "rules" / "bulkfax.yaml"
