"""The files of this folder that are generated, and copies of them with addresses of one's own."""

from collections.abc import Mapping
from pathlib import Path

from grafana import batch, engine, failures, overview, provider
from grafana.panels import RUNBOOK

_FOLDER = Path(__file__).parent
BOARDS = (overview.BOARD, failures.BOARD, provider.BOARD, engine.BOARD, batch.BOARD)
#: the generated files, each with what makes its text
GENERATED = {_FOLDER / "dashboards" / f"{board.uid}.json": board.text for board in BOARDS}
RULES = _FOLDER / "rules" / "bulkfax.yaml"
#: how the address of a dashboard begins in the rules
_DASHBOARD = "dashboard_url: d/"


def with_addresses(*, runbook: str, grafana: str) -> Mapping[str, str]:
    """Return dashboards and rules with the addresses of the runbook and of Grafana, by their paths in this folder."""
    files = {path: text() for path, text in GENERATED.items()} | {RULES: RULES.read_text(encoding="utf-8")}
    return {
        str(path.relative_to(_FOLDER)): text.replace(RUNBOOK, runbook).replace(
            _DASHBOARD, f"dashboard_url: {grafana.rstrip('/')}/d/"
        )
        for path, text in files.items()
    }
