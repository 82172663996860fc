"""Reads ``deploy/compose.yaml`` with the variables of an ``.env`` file in it, as ``docker compose`` does."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.dockerfile import DEPLOY

COMPOSE = DEPLOY / "compose.yaml"
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?:(:?[-?])([^}]*))?\})")


class MissingVariable(Exception):
    """Raised for a variable that must be set and is not."""


def example() -> dict[str, str]:
    """Return the variables of ``example.env``."""
    lines = (DEPLOY / "example.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def variables(text: str) -> set[str]:
    """Return the names of all variables in the text of a compose file."""
    return {match[1] for match in _VARIABLE.finditer(text) if match[1]}


def interpolated(text: str, values: dict[str, str]) -> str:
    """Put values in the place of variables.

    Raises:
        MissingVariable: A variable that has no default is not set.
    """

    def value(match: re.Match[str]) -> str:
        name, operator, default = match.groups()
        if name is None:
            return "$"
        is_set = bool(values.get(name)) if operator and operator.startswith(":") else name in values
        if is_set:
            return values[name]
        if operator is None or operator.endswith("?"):
            raise MissingVariable(name)
        return str(default)

    return _VARIABLE.sub(value, text)


def services(values: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """Return the services, merged and interpolated."""
    text = interpolated(COMPOSE.read_text(encoding="utf-8"), example() if values is None else values)
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return loaded


def mounts(service: dict[str, Any]) -> list[Path]:
    """Return the files and folders of this repository that a service mounts."""
    sources = [volume.split(":")[0] for volume in service.get("volumes", [])]
    return [(DEPLOY / source).resolve() for source in sources if source.startswith(".")]
