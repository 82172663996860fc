"""The command ``bulkfax emulator``, or ``python -m dispatcher.emulator``: run the emulator on its own."""

import argparse
import os
import sys
from dataclasses import fields
from typing import Any, NoReturn

from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.scenario_file import ScenarioError, read_scenario
from dispatcher.emulator.server import serve
from dispatcher.example_files import scenario_names, scenario_path

_LAST_PORT = 65_535
_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(EmulatorConfig)}
#: the environment variable with the secret of the access key: other users of the machine can read arguments, but not it
KEY_VARIABLE = "EMULATOR_KEY_SECRET"


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= _LAST_PORT:
        raise ValueError
    return value


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print the message, which repeats arguments, without characters that a terminal obeys."""
        super().error(_printable(message))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="bulkfax emulator", description="A local emulator of the Sinch Fax API v3.")

    def option(name: str, help_text: str, kind: Any = str) -> None:
        dest = name.lstrip("-").replace("-", "_")
        default = _DEFAULTS.get(dest)
        parser.add_argument(name, type=kind, default=default, metavar=kind.__name__.strip("_"), help=help_text)

    option("--host", "address to listen on")
    option("--port", "port to listen on; 0 takes a free one", _port)
    option("--project-id", "project ID in the paths")
    option("--key-id", "access key ID")
    option("--key-secret", f"access key secret; better in {KEY_VARIABLE}, because arguments are visible in ps")
    option("--rate", "requests per second before the emulator answers 429; default: no limit", _positive)
    option("--burst", "size of the token bucket; default: the requests of one second", int)
    option("--token-rate", "--rate of the token endpoint (the provider allows 10)", _positive)
    option("--token-burst", "--burst of the token endpoint (the provider allows 30)", int)
    option("--token-life-s", "seconds until an access token expires", int)
    option("--speed", "divides the duration of faxes and the delays before callback redelivery", _positive)
    option("--seed", "seed of the random numbers; the same seed repeats the same run", int)
    parser.add_argument("--latency", type=float, dest="latency_s", metavar="seconds", help="delay before each response")
    parser.add_argument(
        "--scenario",
        type=scenario_path,
        metavar="file",
        help=f"TOML file with call outcomes and faults, or one of: {', '.join(scenario_names())}",
    )
    parser.add_argument(
        "--number", action="append", dest="numbers", default=[], help="phone number of the project; repeatable"
    )
    parser.add_argument("--no-fetch", action="store_false", dest="fetch_content", help="do not fetch content URLs")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the emulator until it is interrupted.

    Returns:
        The exit status: 0, or 2 for an invalid scenario, or 1 if the emulator cannot listen on the port.
    """
    options = vars(_parser().parse_args(arguments))
    scenario_path = options.pop("scenario")
    options["numbers"] = tuple(options["numbers"])
    if options["key_secret"] == _DEFAULTS["key_secret"]:
        options["key_secret"] = os.environ.get(KEY_VARIABLE) or options["key_secret"]
    try:
        if scenario_path is not None:
            options["scenario"] = read_scenario(scenario_path)
        serve(EmulatorConfig(**options))
    except ScenarioError as error:
        print(_printable(f"emulator: {error}"), file=sys.stderr)  # noqa: T201 - output of a command
        return 2
    except OSError as error:
        address = f"{options['host']}:{options['port']}"
        print(f"emulator: cannot listen on {address}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
