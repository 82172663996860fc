"""All settings of bulkfax, read from environment variables ``BULKFAX_...`` and from ``.env``.

Nested settings are written with ``__``, such as ``BULKFAX_SINCH__PROJECT_ID``.
"""

import difflib
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from dispatcher.core.durability import Durability


class SettingsError(Exception):
    """Raised when a setting is missing, unknown or has a bad value. The text names the variable and says what to do."""


class SinchSettings(BaseModel):
    """Account, URLs and limits of the provider."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    project_id: str = ""
    key_id: str = ""
    key_secret: SecretStr = SecretStr("")
    base_url: str = "https://fax.api.sinch.com"
    auth_url: str = "https://auth.sinch.com/oauth2/token"
    auth: Literal["oauth", "basic"] = "oauth"
    #: the account's rate limit in requests per second; faxes and reads share it
    rate_per_second: float = Field(default=5.0, gt=0, le=10_000)
    #: maximum requests in any minute and in any 24 hours; 0 or empty: no such limit
    rate_per_minute: int = Field(default=0, ge=0, le=1_000_000)
    rate_per_day: int = Field(default=0, ge=0, le=1_000_000_000)
    #: maximum concurrent requests (and connections) per worker process
    connections: int = Field(default=64, ge=1, le=1024)
    #: maximum number of faxes in flight across all workers
    max_in_flight: int = Field(default=512, ge=1, le=10_000)

    @field_validator("rate_per_minute", "rate_per_day", mode="before")
    @classmethod
    def _empty_is_zero(cls, value: object) -> object:
        return 0 if value == "" else value


class Settings(BaseSettings):
    """All settings. Lists are separated by commas.

    Secrets may be files in ``BULKFAX_SECRETS_DIR``, named like their variables in lower case, such as
    ``bulkfax_sinch__key_secret``.
    """

    model_config = SettingsConfigDict(
        env_prefix="BULKFAX_",
        env_nested_delimiter="__",
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        validate_default=True,
        # otherwise a trace would show values, and a value can be a secret under a wrong name
        hide_input_in_errors=True,
    )

    #: both addresses can contain a password
    redis_url: str = Field(default="", repr=False)
    #: Redis database of the message broker; empty: the database after that of ``redis_url``, on the same server
    broker_url: str = Field(default="", repr=False)
    #: replicas that must confirm a write before a request is accepted or a fax is sent; 0: none
    redis_wait_replicas: int = Field(default=0, ge=0, le=8)
    #: what has happened to a write that Redis acknowledged; a server that does less is refused
    redis_durability: Durability = Durability.ALWAYS
    sinch: SinchSettings = SinchSettings()
    #: URL at which the provider sends callbacks and fetches documents. Empty: documents are sent inline as base64, and
    #: results are polled.
    public_url: str = ""
    policy_file: Path | None = None
    callback_keys: Annotated[list[SecretStr], NoDecode] = []
    api_keys: Annotated[list[SecretStr], NoDecode] = []
    #: those of the keys that send documents with warnings without being asked
    api_keys_allow_warnings: Annotated[list[SecretStr], NoDecode] = []
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    #: port on ``host`` at which a scheduler or worker service exports its metrics; 0: none
    metrics_port: int = Field(default=0, ge=0, le=65535)
    #: country (two letters) of numbers in national format if neither row nor batch names one
    default_country: str = "US"
    data_dir: Path = Path(".bulkfax")
    #: folder in which each process touches a file, for ``bulkfax alive``; one for each service
    alive_dir: Path | None = None
    worker_processes: int = Field(default=1, ge=1, le=64)
    worker_threads: int = Field(default=24, ge=2, le=256)
    documents_max_bytes: int = Field(default=2_000_000_000, ge=20_000_000)
    #: deliver webhooks also to addresses of this machine and network, and over http
    webhook_private_addresses: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    #: accept a Redis that is less durable than ``redis_durability``; only for trying bulkfax out
    allow_unsafe_redis: bool = False

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the usual sources, with secret files that may contain nested settings."""
        files = NestedSecretsSettingsSource(file_secret_settings, secrets_nested_delimiter="__")
        return init_settings, env_settings, dotenv_settings, files

    @field_validator("redis_durability")
    @classmethod
    def _has_replicas(cls, value: Durability, info: ValidationInfo) -> Durability:
        if value is Durability.REPLICATED and not info.data.get("redis_wait_replicas"):
            raise ValueError("this needs BULKFAX_REDIS_WAIT_REPLICAS: 1 or more")
        return value

    @field_validator("callback_keys", "api_keys", "api_keys_allow_warnings", mode="before")
    @classmethod
    def _from_commas(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("api_keys_allow_warnings")
    @classmethod
    def _are_api_keys(cls, value: list[SecretStr], info: ValidationInfo) -> list[SecretStr]:
        if not set(value) <= set(info.data.get("api_keys", [])):
            raise ValueError("each of these keys must be one of BULKFAX_API_KEYS")
        return value

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("write a full address such as https://fax.example.com, or leave it empty to poll")
        return value.rstrip("/")

    @field_validator("default_country")
    @classmethod
    def _two_letters(cls, value: str) -> str:
        if len(value) != 2 or not value.isalpha():
            raise ValueError("write a country as two letters, such as US")
        return value.upper()


#: stands for a secret; and the passwords of an address
_MASK = "********"
_PASSWORD = re.compile(r"(//[^/@]*:).*@")
_PASSWORD_OPTION = re.compile(r"([?&]\w*password=)[^&]+")

#: variables with our prefix that are not settings
_NOT_SETTINGS = frozenset(
    {
        *("BULKFAX_SECRETS_DIR", "BULKFAX_API_URL", "BULKFAX_API_KEY", "BULKFAX_TEST_REDIS_URL"),
        # the supervisor sets these for its worker processes
        *("BULKFAX_WORKER_NAME", "BULKFAX_WORKER_INSTANCE"),
    }
)


def load_settings(env_file: Path = Path(".env")) -> Settings:
    """Read all settings. Raises SettingsError, which names the bad variable."""
    variables = {**dotenv_values(env_file), **os.environ} if env_file.is_file() else dict(os.environ)
    _refuse_unknown(name.upper() for name in variables)
    secrets = variables.get("BULKFAX_SECRETS_DIR")
    try:
        return Settings(_env_file=env_file, _secrets_dir=secrets)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(dict(fault)) for fault in error.errors())) from error


def log_format(env_file: Path = Path(".env")) -> str:
    """Return ``BULKFAX_LOG_FORMAT``, also if other settings are wrong: to tell of them in that form."""
    in_file = dotenv_values(env_file) if env_file.is_file() else {}
    forms = {name.upper(): value for name, value in {**in_file, **os.environ}.items()}
    return forms.get("BULKFAX_LOG_FORMAT") or "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveSetting:
    """A setting in force. Secrets are masked, also those in addresses; ``source`` says where the value comes from."""

    variable: str
    value: str
    source: str


def effective_settings(env_file: Path = Path(".env")) -> list[EffectiveSetting]:
    """Return all settings in force, in the order of their definition. Raises SettingsError."""
    settings, sources = load_settings(env_file), _sources(env_file)
    values = {name: getattr(settings, name) for name in Settings.model_fields if name != "sinch"}
    nested = {f"sinch__{name}": getattr(settings.sinch, name) for name in SinchSettings.model_fields}
    return [
        EffectiveSetting(
            variable=(variable := f"BULKFAX_{name.upper()}"),
            value=_masked(value),
            source=next((sources[known] for known in (variable, variable.partition("__")[0]) if known in sources), ""),
        )
        for name, value in {**values, **nested}.items()
    ]


def _sources(env_file: Path) -> dict[str, str]:
    """Return where each variable is set, the strongest source last."""
    in_file = dotenv_values(env_file) if env_file.is_file() else {}
    folder = os.environ.get("BULKFAX_SECRETS_DIR") or in_file.get("BULKFAX_SECRETS_DIR")
    secret_files = [path for path in Path(folder).iterdir() if path.is_file()] if folder else []
    return {
        **{path.name.upper(): str(path) for path in secret_files},
        **{name.upper(): str(env_file.resolve()) for name in in_file},
        **{name.upper(): "environment" for name in os.environ},
    }


def _masked(value: object) -> str:
    match value:
        case SecretStr():
            return _MASK if value.get_secret_value() else ""
        case list():
            return ", ".join(map(_masked, value))
        case bool():
            return str(value).lower()
        case None:
            return ""
    return _PASSWORD.sub(rf"\1{_MASK}@", _PASSWORD_OPTION.sub(rf"\1{_MASK}", str(value)))


def _refuse_unknown(names: Iterable[str]) -> None:
    known = _variable_names()
    unknown = sorted(n for n in names if n.startswith("BULKFAX_") and n not in known | _NOT_SETTINGS)
    if unknown:
        raise SettingsError("; ".join(_unknown(name, known) for name in unknown))


def _unknown(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"unknown setting {name}" + (f": did you mean {near[0]}?" if near else "")


def _variable_names() -> frozenset[str]:
    plain = {f"BULKFAX_{name.upper()}" for name in Settings.model_fields}
    nested = {f"BULKFAX_SINCH__{name.upper()}" for name in SinchSettings.model_fields}
    return frozenset(plain | nested)


def _sentence(fault: dict[str, object]) -> str:
    location = fault["loc"]
    parts = [str(part).upper() for part in location] if isinstance(location, tuple) else []
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"BULKFAX_{'__'.join(parts)}: {message[:1].lower()}{message[1:]}"
