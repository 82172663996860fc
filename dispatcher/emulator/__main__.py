"""`python -m dispatcher.emulator`: the emulator alone."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.scenario_file import ScenarioError, read_scenario
from dispatcher.emulator.server import serve

_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(EmulatorConfig)}


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dispatcher.emulator", description="A local double of the Sinch Fax API v3."
    )

    def option(name: str, help_text: str, kind: Any = str) -> None:
        dest = name.lstrip("-").replace("-", "_")
        default = _DEFAULTS.get(dest)
        parser.add_argument(name, type=kind, default=default, metavar=kind.__name__.strip("_"), help=help_text)

    option("--host", "address to listen on")
    option("--port", "port to listen on; 0 takes a free one", int)
    option("--project-id", "project in the paths")
    option("--key-id", "access key id")
    option("--key-secret", "access key secret")
    option("--rate", "requests a second before 429; no limit unless given", _positive)
    option("--burst", "size of the token bucket; a second's worth unless given", int)
    option("--token-rate", "the same for the token endpoint (the provider: 10)", _positive)
    option("--token-burst", "the same for the token endpoint (the provider: 30)", int)
    option("--token-life-s", "seconds until an access token expires", int)
    option("--speed", "divides the lives of faxes and the callback redelivery times", _positive)
    option("--seed", "chance; the same seed repeats the same run", int)
    parser.add_argument("--latency", type=float, dest="latency_s", metavar="seconds", help="before each answer")
    parser.add_argument("--scenario", type=Path, metavar="file", help="what goes wrong with what (TOML)")
    parser.add_argument(
        "--number", action="append", dest="numbers", default=[], help="a number of the project; may repeat"
    )
    parser.add_argument("--no-fetch", action="store_false", dest="fetch_content", help="do not fetch content URLs")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the emulator; returns 2 for a bad scenario, 1 if the port is taken."""
    given = vars(_parser().parse_args(arguments))
    path = given.pop("scenario")
    given["numbers"] = tuple(given["numbers"])
    try:
        if path is not None:
            given["scenario"] = read_scenario(path)
        serve(EmulatorConfig(**given))
    except ScenarioError as error:
        print(f"emulator: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to its user
        return 2
    except OSError as error:
        where = f"{given['host']}:{given['port']}"
        print(f"emulator: cannot listen on {where}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
