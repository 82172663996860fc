"""Writes dashboards and rules with addresses of one's own: ``.venv/bin/python -m grafana --help``."""

import argparse
from pathlib import Path

from grafana.files import with_addresses


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m grafana", description="Write dashboards and rules to a folder.")
    parser.add_argument("--runbook-url", required=True, help="address of docs/runbook.md, as it is served to people")
    parser.add_argument("--grafana-url", required=True, help="address of Grafana")
    parser.add_argument("folder", type=Path, help="folder to write to")
    arguments = parser.parse_args()
    for name, text in with_addresses(runbook=arguments.runbook_url, grafana=arguments.grafana_url).items():
        path = arguments.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"{path} written")  # noqa: T201  # output of a command


if __name__ == "__main__":
    main()
