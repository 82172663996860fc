"""docs/deploy.md names what exists: commands, files, values, and the number of the layout."""

import re

import pytest
import yaml

from dispatcher.store.keys import DEFAULT_ACCOUNT, Keys
from dispatcher.store.layout import LAYOUT
from tests.deploy.compose import services
from tests.deploy.dockerfile import ROOT
from tests.deploy.test_image import commands

TEXT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_every_command_exists() -> None:
    words = set(re.findall(r"(?:^|`|-- | )bulkfax ([a-z]+)", TEXT, re.MULTILINE))
    assert {"alive", "doctor", "holds", "account"} <= words
    assert words <= commands() | {"helm"}, "helm: the name of the release"
    usage = (ROOT / "run").read_text(encoding="utf-8")
    assert all(f"\n  {name} " in usage for name in re.findall(r"\./run (\w+)", TEXT))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?:deploy|helm|examples)/[\w./-]+\w", TEXT))))
def test_every_file_exists(path: str) -> None:
    assert (ROOT / path).exists() or path == "deploy/.env"


def test_every_service_and_value_exists() -> None:
    assert set(re.findall(r"compose\.yaml (?:exec|cp) (\w+)", TEXT)) <= set(services())
    values = yaml.safe_load((ROOT / "helm" / "bulkfax" / "values.yaml").read_text(encoding="utf-8"))
    for group, name in re.findall(r"`(image|settings|redis)\.(\w+)`", TEXT):
        assert name in values[group]


def test_it_tells_the_number_of_the_layout() -> None:
    assert f"(the key\n`{Keys(DEFAULT_ACCOUNT).layout}`, {LAYOUT} in this version)" in TEXT
