"""A local emulator of the Sinch Fax API v3.

It shares no code with the client in ``dispatcher.sinch``. With shared code, a misreading of the API would go unnoticed.
"""

from dispatcher.emulator.app import create_app
from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.scenario import Scenario
from dispatcher.emulator.scenario_file import ScenarioError, parse_scenario, read_scenario
from dispatcher.emulator.server import RunningEmulator, running, serve

__all__ = [
    "EmulatorConfig",
    "RunningEmulator",
    "Scenario",
    "ScenarioError",
    "create_app",
    "parse_scenario",
    "read_scenario",
    "running",
    "serve",
]
