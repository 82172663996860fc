"""Draw the dashboards: ``.venv/bin/python -m grafana.preview MODULES PICTURES``.

Needs Prometheus, Alertmanager, Chromium and Node. MODULES is a folder outside the repository into which the packages of
``package.json`` have been installed: ``npm install --legacy-peer-deps``. They take 700 MB.
"""

import argparse
import json
import math
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

from benchmarks.cluster import DOCUMENT_URL
from benchmarks.monitoring import Monitoring
from benchmarks.recipients import write_csv
from benchmarks.recovery_cluster import RecoveryCluster
from benchmarks.setting import Setting
from dispatcher.client import Client, NewBatch
from grafana.files import GENERATED

_POLICY = Path(__file__).parent.parent.parent / "examples" / "fast-policy.toml"
_RATE, _JOBS = 40, (3_000, 6_000)
_FAILING = {"201": "busy", "202": "no_answer", "203": "no_fax_machine", "205": "incompatible", "209": "congestion"}
_SCENARIO = "\n".join(
    f'[[numbers]]\nprefix = "+1{area}"\noutcomes = "{outcome}"\n' for area, outcome in _FAILING.items()
)
#: seconds of each part of the demo, and between two points of a graph
_PART_S, _STEP_S = 25, 5
_VALUES = {"${job}": "bulkfax", "$job": "bulkfax", "$batch": ".*", "$__rate_interval": "15s", "$__interval": "5s"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m grafana.preview", description=__doc__)
    parser.add_argument("modules", type=Path, help="folder with node_modules")
    parser.add_argument("pictures", type=Path, help="folder for the pictures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _collect(folder, folder / "data")
        script = Path(__file__).parent / "render.mjs"
        subprocess.run(["node", script, arguments.modules, folder / "data", arguments.pictures], check=True)


def _collect(folder: Path, data: Path) -> None:
    """Run a demo with faults, and write the dashboards with their data."""
    setting = Setting(folder=folder, say=print)
    for path in (data, folder / "monitoring"):
        path.mkdir()
    began_s = time.time()
    with (
        RecoveryCluster(setting, rate=_RATE, scenario=_SCENARIO, policy=_POLICY, metrics=True) as cluster,
        Monitoring(
            folder / "monitoring", cluster.local.url, processes=cluster.metrics_addresses, divisor=10
        ) as monitoring,
        cluster.local.client() as client,
    ):
        for number, jobs in enumerate(_JOBS):
            _start(client, folder / f"{number}.csv", jobs)
        for scenario in (_SCENARIO, 'requests = "503_before"', _SCENARIO, 'requests = "402_before"', _SCENARIO):
            cluster.local.emulator_api.play(scenario)
            for hold in client.account().holds:
                client.release_hold(hold.scope)
            time.sleep(_PART_S)
        for path, text in GENERATED.items():
            document = _with_data(json.loads(text()), monitoring, began_s, time.time())
            (data / path.name).write_text(json.dumps(document), encoding="utf-8")


def _start(client: Client, path: Path, jobs: int) -> None:
    write_csv(path, jobs)
    deadline = datetime.now(UTC) + timedelta(minutes=4)
    batch = client.create_batch(NewBatch(name=path.stem, content_urls=(DOCUMENT_URL,), deadline=deadline)).id
    client.upload_recipients(batch, path)
    client.start(batch, allow_repeat=True)


def _with_data(dashboard: dict[str, Any], monitoring: Monitoring, start_s: float, end_s: float) -> dict[str, Any]:
    for panel in dashboard["panels"]:
        targets = panel.get("targets", ())
        values = {**_VALUES, "$__range": f"{round(end_s - start_s)}s"}
        expressions = [reduce(lambda text, name: text.replace(name, values[name]), values, t["expr"]) for t in targets]
        if panel["type"] == "table":
            panel.update(_table(panel, [monitoring.query(expression) for expression in expressions]))
        elif panel["type"] in ("stat", "bargauge"):
            pairs = zip(targets, map(monitoring.query, expressions), strict=True)
            panel["data"] = [
                _series(target, [{**s, "values": [s["value"]]} for s in answer]) for target, answer in pairs
            ]
        elif targets:
            answers = [monitoring.query_range(expression, start_s, end_s, _STEP_S) for expression in expressions]
            panel["data"] = [_series(target, answer) for target, answer in zip(targets, answers, strict=True)]
    return dashboard | {"from": start_s * 1000, "to": end_s * 1000}


def _series(target: Mapping[str, Any], answer: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": _legend(target["legendFormat"], sample["metric"]),
            "times": [moment * 1000 for moment, _ in sample["values"]],
            "values": [_number(value) for _, value in sample["values"]],
        }
        for sample in answer
    ]


def _legend(form: str, labels: Mapping[str, str]) -> str:
    return reduce(lambda text, name: text.replace("{{" + name + "}}", labels[name]), labels, form)


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _table(panel: Mapping[str, Any], answers: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return rows and columns, as Grafana's transformations make them."""
    organised = panel["transformations"][1]["options"]
    names, hidden = organised["renameByName"], organised["excludeByName"]
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for number, answer in enumerate(answers):
        value_field = f"Value #{chr(ord('A') + number)}" if len(answers) > 1 else "Value"
        for sample in answer:
            labels = {names[label]: text for label, text in sample["metric"].items()}
            row = rows.setdefault(tuple(labels.values()), labels)
            if not hidden.get(value_field):
                row[names[value_field]] = _number(sample["value"][1])
    ordered = sorted(organised["indexByName"], key=organised["indexByName"].__getitem__)
    return {"columns": [names[name] for name in ordered if not hidden.get(name)], "rows": list(rows.values())}


if __name__ == "__main__":
    main()
