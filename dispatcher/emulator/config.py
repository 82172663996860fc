"""How one emulator is set up; the command line fills it in."""

from dataclasses import dataclass, field

from dispatcher.emulator.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorConfig:
    """Settings of one emulator. Times are in seconds, rates in requests a second.

    `rate` None means no limit; `burst` None means one second's worth of it.
    `speed` divides the lives of faxes and the callback redelivery schedule, nothing else.
    `seed` None takes the scenario's own. `numbers` empty means any E.164 number may be a sender.
    """

    host: str = "127.0.0.1"
    port: int = 0
    project_id: str = "3f0b3c1e-6f3c-4c5e-9d55-1d2b7a3c9e10"
    key_id: str = "emulator-key"
    key_secret: str = field(default="emulator-secret", repr=False)
    rate: float | None = None
    burst: int | None = None
    token_rate: float | None = None
    token_burst: int | None = None
    #: Life of an access token.
    token_life_s: int = 3600
    speed: float = 1.0
    #: Added before each answer; None takes the scenario's.
    latency_s: float | None = None
    scenario: Scenario = field(default_factory=Scenario)
    seed: int | None = None
    numbers: tuple[str, ...] = ()
    #: How long a callback receiver has for its answer (the provider allows 60 s).
    callback_timeout_s: float = 60.0
    #: Connections to one callback receiver at the same time.
    callback_connections: int = 64
    #: Whether documents named by URL are really fetched.
    fetch_content: bool = True
