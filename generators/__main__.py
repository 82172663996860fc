"""The command ``./run generate``: write all generated files."""

from collections.abc import Callable, Mapping
from pathlib import Path

from generators import api_reference, async_client, metrics_reference
from grafana import files

#: the generated files, each with what makes its text
GENERATED: Mapping[Path, Callable[[], str]] = {
    api_reference.PATH: api_reference.reference,
    metrics_reference.PATH: metrics_reference.reference,
    **async_client.GENERATED,
    **files.GENERATED,
}


def main() -> None:
    for path, text in GENERATED.items():
        path.write_text(text(), encoding="utf-8")
        print(f"{path.name} written")  # noqa: T201  # output of a command


if __name__ == "__main__":
    main()
