"""Settings of an emulator."""

from dataclasses import dataclass, field

from dispatcher.emulator.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorConfig:
    """Settings of one emulator.

    Times are in seconds, rates in requests per second.
    """

    host: str = "127.0.0.1"
    port: int = 0
    project_id: str = "3f0b3c1e-6f3c-4c5e-9d55-1d2b7a3c9e10"
    key_id: str = "emulator-key"
    key_secret: str = field(default="emulator-secret", repr=False)
    #: None: no limit
    rate: float | None = None
    #: size of the token bucket; None: the requests of one second
    burst: int | None = None
    token_rate: float | None = None
    token_burst: int | None = None
    #: lifetime of an access token
    token_life_s: int = 3600
    #: divides the duration of faxes and the delays before callback redelivery, nothing else
    speed: float = 1.0
    #: delay before each response; None: the scenario's
    latency_s: float | None = None
    scenario: Scenario = field(default_factory=Scenario)
    #: None: the scenario's
    seed: int | None = None
    #: phone numbers of the project; empty: any E.164 number may be a sender
    numbers: tuple[str, ...] = ()
    #: time that a callback receiver has to respond (the provider allows 60 s)
    callback_timeout_s: float = 60.0
    #: maximum number of connections to one callback receiver
    callback_connections: int = 64
    #: False: content URLs are not fetched; each counts as one blank page
    fetch_content: bool = True
