"""Tests of settings from environment variables, a .env file and secret files, and of error messages."""

import os
from pathlib import Path

import pytest

from dispatcher.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove all settings from the environment."""
    for name in [name for name in os.environ if name.startswith("BULKFAX_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_nested_settings_come_from_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKFAX_SINCH__PROJECT_ID", "p")
    monkeypatch.setenv("BULKFAX_SINCH__RATE_PER_SECOND", "12.5")
    assert (load_settings().sinch.project_id, load_settings().sinch.rate_per_second) == ("p", 12.5)


def test_a_dotenv_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BULKFAX_REDIS_URL=redis://there/0\nOTHER=1\n")
    assert load_settings().redis_url == "redis://there/0"


def test_secret_files_may_name_nested_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "bulkfax_sinch__key_secret").write_text("hidden\n")
    (folder / "bulkfax_api_keys").write_text("one, two")
    monkeypatch.setenv("BULKFAX_SECRETS_DIR", str(folder))
    monkeypatch.setenv("BULKFAX_SINCH__KEY_ID", "k")
    settings = load_settings()
    assert settings.sinch.key_secret.get_secret_value() == "hidden"
    assert settings.sinch.key_id == "k"
    assert [key.get_secret_value() for key in settings.api_keys] == ["one", "two"]


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings.model_validate({"sinch": {"key_secret": "hidden"}, "api_keys": "hidden"}))
    assert "hidden" not in shown


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("BULKFAX_SINCH__RATE", "3", "unknown setting BULKFAX_SINCH__RATE"),
        ("BULKFAX_PORTT", "3", "did you mean BULKFAX_PORT?"),
        ("BULKFAX_PORT", "x", "BULKFAX_PORT: input should be a valid integer"),
        (
            "BULKFAX_SINCH__RATE_PER_DAY",
            "-1",
            "BULKFAX_SINCH__RATE_PER_DAY: input should be greater than or equal to 0",
        ),
        ("BULKFAX_SINCH__RATE_PER_SECOND", "0", "BULKFAX_SINCH__RATE_PER_SECOND: input should be greater than 0"),
        ("BULKFAX_REDIS_DURABILITY", "never", "BULKFAX_REDIS_DURABILITY: input should be 'always', 'everysec'"),
        ("BULKFAX_REDIS_DURABILITY", "replicated", "this needs BULKFAX_REDIS_WAIT_REPLICAS: 1 or more"),
        ("BULKFAX_PUBLIC_URL", "fax.example.com", "BULKFAX_PUBLIC_URL: write a full address"),
        ("BULKFAX_DEFAULT_COUNTRY", "Germany", "BULKFAX_DEFAULT_COUNTRY: write a country as two letters"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=sentence.replace("?", r"\?")):
        load_settings()


def test_an_unknown_setting_in_the_dotenv_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BULKFAX_REDIS=redis://there/0\n")
    with pytest.raises(SettingsError, match="unknown setting BULKFAX_REDIS"):
        load_settings()


def test_limits_of_a_minute_and_a_day_are_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKFAX_SINCH__RATE_PER_MINUTE", "")
    monkeypatch.setenv("BULKFAX_SINCH__RATE_PER_DAY", "100000")
    assert (load_settings().sinch.rate_per_minute, load_settings().sinch.rate_per_day) == (0, 100_000)
