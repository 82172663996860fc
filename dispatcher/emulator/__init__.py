"""A local double of the Sinch Fax API v3. Shares no code with the client: a double that does proves nothing."""

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
