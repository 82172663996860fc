"""The command as a whole: errors are sentences on standard error, and the exit status tells whose fault it is."""

import json
import socket
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Bulkfax


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address at which nothing listens, set as the API's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("BULKFAX_API_URL", url)
    monkeypatch.setattr("dispatcher.client.answers.FIRST_CONTACT_S", 0.0)
    return url


def test_bare_it_explains_itself(bulkfax: Bulkfax) -> None:
    ran = bulkfax()
    assert "demo" in ran.out + ran.err
    assert ran.status == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("send",),
        ("send", "a.pdf", "b.csv", "--weight", "101"),
        ("policy", "explain", "CALL_ERROR", "many"),
        ("batches", "rerun", "b", "--state", "lost"),
        ("demo", "--recipients", "0"),
        ("batches", "list", "--limit", "1000"),
    ],
)
def test_wrong_use_ends_with_status_2_and_a_hint(bulkfax: Bulkfax, arguments: tuple[str, ...]) -> None:
    ran = bulkfax(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "error: " in ran.err


def test_it_says_its_version(bulkfax: Bulkfax) -> None:
    assert bulkfax("--version").out == f"bulkfax {version('bulkfax')}\n"


@pytest.mark.parametrize(
    ("words", "word", "completion"), [("bulkfax ba", 1, "batches"), ("bulkfax holds r", 2, "release")]
)
def test_the_shell_can_complete_commands(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, words: str, word: int, completion: str
) -> None:
    monkeypatch.setenv("_BULKFAX_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(word))
    assert bulkfax().out.split() == [completion]


def test_each_unknown_setting_is_named_with_the_right_one(bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKFAX_PROT", "1")
    monkeypatch.setenv("BULKFAX_SINCH__PROJEKT_ID", "p")
    said = " ".join(bulkfax("doctor").err.split())
    assert "unknown setting BULKFAX_PROT: did you mean BULKFAX_PORT?" in said
    assert "unknown setting BULKFAX_SINCH__PROJEKT_ID: did you mean BULKFAX_SINCH__PROJECT_ID?" in said


def test_settings_are_shown_with_their_sources_and_without_secrets(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "bulkfax_sinch__key_secret").write_text("canary")
    (tmp_path / ".env").write_text("BULKFAX_SINCH__RATE_PER_SECOND=7\nBULKFAX_PORT=9000\n")
    monkeypatch.setenv("BULKFAX_SECRETS_DIR", str(tmp_path / "secrets"))
    monkeypatch.setenv("BULKFAX_REDIS_URL", "redis://user:canary@there:1/0")
    sentinel = "redis+sentinel://:canary@h1,h2/main/0?sentinel_password="
    monkeypatch.setenv("BULKFAX_BROKER_URL", f"{sentinel}canary@canary&sentinel_tls=no")
    monkeypatch.setenv("BULKFAX_API_KEYS", "canary,canary2")
    monkeypatch.setenv("BULKFAX_API_KEY", "canary")
    shown = bulkfax("settings", "show")
    assert (shown.status, "canary" in shown.out + shown.err) == (0, False)
    ran = bulkfax("settings", "show", "--json")
    assert "canary" not in ran.out + ran.err
    answer = json.loads(ran.last_line)
    settings = {setting["variable"]: (setting["value"], setting["source"]) for setting in answer["settings"]}
    assert settings["BULKFAX_SINCH__RATE_PER_SECOND"] == ("7.0", str(tmp_path / ".env"))
    assert settings["BULKFAX_REDIS_URL"] == ("redis://user:********@there:1/0", "environment")
    masked = f"{sentinel}********&sentinel_tls=no".replace("canary", "********")
    assert settings["BULKFAX_BROKER_URL"] == (masked, "environment")
    assert settings["BULKFAX_API_KEYS"] == ("********, ********", "environment")
    assert settings["BULKFAX_SINCH__KEY_SECRET"] == ("********", f"{tmp_path}/secrets/bulkfax_sinch__key_secret")
    assert settings["BULKFAX_HOST"] == ("127.0.0.1", "")
    assert (answer["api_url"], answer["has_api_key"]) == ("http://127.0.0.1:9000", True)


def test_an_unknown_setting_ends_with_status_2_and_names_the_right_one(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BULKFAX_REDIS_ULR", "redis://127.0.0.1")
    ran = bulkfax("doctor")
    assert ran.status == 2
    assert "did you mean BULKFAX_REDIS_URL?" in ran.err


@pytest.mark.parametrize("arguments", [("batches", "list"), ("jobs", "show", "b.1"), ("holds", "list")])
def test_an_api_that_is_not_there_ends_with_status_1_and_says_what_to_start(
    bulkfax: Bulkfax, nowhere: str, arguments: tuple[str, ...]
) -> None:
    ran = bulkfax(*arguments)
    assert (ran.status, ran.out) == (1, "")
    assert f"error: nothing answers at {nowhere}" in ran.err
    assert "bulkfax up" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments", [("doctor",), ("web",), ("scheduler",), ("worker",), ("jobs", "show", "b.1", "--raw")]
)
def test_without_a_redis_the_commands_beside_the_api_say_how_to_get_one(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.delenv("BULKFAX_REDIS_URL", raising=False)
    ran = bulkfax(*arguments)
    assert ran.status == 1
    assert "set BULKFAX_REDIS_URL" in ran.err


def test_a_redis_that_is_away_is_a_sentence(bulkfax: Bulkfax, nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKFAX_REDIS_URL", nowhere.replace("http", "redis"))
    ran = bulkfax("doctor")
    assert ran.status == 1
    assert "error: Redis does not answer" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("command", ["up", "web"])
def test_a_port_in_use_is_said_before_anything_starts(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("BULKFAX_PORT", str(port))
        monkeypatch.setenv("BULKFAX_REDIS_URL", "redis://127.0.0.1:1")
        ran = bulkfax(command)
    assert ran.status == 1
    assert f"port {port}" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("BULKFAX_POLICY_FILE", "missing.toml", "missing.toml cannot be read"),
        ("BULKFAX_HOST", "0.0.0.0", "set BULKFAX_API_KEYS"),
        ("BULKFAX_REDIS_URL", "redis://127.0.0.1:1/0", "Redis does not answer"),
    ],
)
def test_up_says_what_is_missing_before_anything_starts(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, sentence: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("BULKFAX_PORT", str(free.getsockname()[1]))
    monkeypatch.setenv(variable, value)
    ran = bulkfax("up")
    assert ran.status in (1, 2)
    assert sentence in " ".join(ran.err.split())
    assert "starting" not in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("send", "letter.pdf", "letter.pdf"), "letter.pdf is a letter: the list of recipients comes last"),
        (("send", "list.csv", "list.csv"), "list.csv is a list and no letter"),
        (("send", "letter.pdf", "."), ". is a folder"),
        (("send", "large.pdf", "list.csv"), "large.pdf has 20,000,001 bytes: a letter may have 20,000,000"),
        (("send", "letter.pdf", "list.csv", "--start-at", "tomorrow"), "'--start-at': 'tomorrow' is no time: write"),
        (("send", "letter.pdf", "list.csv", "--start-at", "2020-01-01T09:00"), "--start-at: 2020-01-01 09:00 has"),
        (("jobs", "find", "--number", "1", "--since", "3d"), "'--since': '3d' is no time: write 2026-12-01T09:00"),
    ],
)
def test_what_was_typed_wrongly_is_named_with_what_to_type(
    bulkfax: Bulkfax, tmp_path: Path, nowhere: str, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "list.csv").write_text("fax\n+12025550101\n")
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.4")
    with (tmp_path / "large.pdf").open("wb") as file:
        file.truncate(20_000_001)
    ran = bulkfax(*arguments)
    assert ran.status in (1, 2)
    assert sentence in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


def test_without_an_address_the_commands_talk_to_the_port_of_this_machine(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.client.answers.FIRST_CONTACT_S", 0.0)
    monkeypatch.delenv("BULKFAX_API_URL", raising=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("BULKFAX_PORT", str(port))
    assert f"nothing answers at http://127.0.0.1:{port}" in bulkfax("batches", "list").err


def test_an_unexpected_error_is_short_and_says_how_to_see_more(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.cli.policy.explain", lambda *_: 1 / 0)
    ran = bulkfax("policy", "explain", "CALL_ERROR", "17", "--here")
    assert ran.status == 1
    assert "BULKFAX_LOG_LEVEL=debug" in ran.err
    assert "Traceback" not in ran.err


def test_with_debugging_on_an_unexpected_error_shows_where(bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKFAX_LOG_LEVEL", "debug")
    monkeypatch.setattr("dispatcher.cli.policy.explain", lambda *_: 1 / 0)
    assert "Traceback" in bulkfax("policy", "explain", "CALL_ERROR", "17", "--here").err


def test_policy_explain_says_what_happens_and_why(bulkfax: Bulkfax) -> None:
    ran = bulkfax("policy", "explain", "call_error", "17", "--here")
    assert ran.status == 0
    assert "busy" in ran.out
    assert "3 m, 5 m" in ran.out


def test_policy_explain_refuses_what_is_no_error_type(bulkfax: Bulkfax) -> None:
    ran = bulkfax("policy", "explain", "CALL_EROR", "1")
    assert ran.status == 2
    assert "did you mean CALL_ERROR?" in " ".join(ran.err.split())


def test_policy_explain_takes_an_http_status(bulkfax: Bulkfax) -> None:
    assert json.loads(bulkfax("policy", "explain", "HTTP", "402", "--here", "--json").last_line)["verdict"] == "hold"


def test_without_a_server_policy_explain_says_whose_policy_it_shows(bulkfax: Bulkfax, nowhere: str) -> None:
    ran = bulkfax("policy", "explain", "CALL_ERROR", "17")
    assert ran.status == 0
    assert f"no server could be asked: nothing answers at {nowhere}" in " ".join(ran.err.split())
    assert "of this shell" in ran.out
    assert json.loads(bulkfax("policy", "explain", "CALL_ERROR", "17", "--json").last_line)["server"] is None


def test_policy_explain_here_uses_the_policy_file(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    monkeypatch.setenv("BULKFAX_POLICY_FILE", str(repository / "examples" / "fast-policy.toml"))
    assert "1.8 s" in bulkfax("policy", "explain", "CALL_ERROR", "17", "--here").out


def test_a_bad_policy_file_is_named_with_status_2(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text("[times]\nleese = '3s'\n")
    monkeypatch.setenv("BULKFAX_POLICY_FILE", str(tmp_path / "policy.toml"))
    ran = bulkfax("policy", "explain", "CALL_ERROR", "17", "--here")
    assert ran.status == 2
    assert "leese" in ran.err


def test_the_demo_without_the_repository_says_what_to_do(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("dispatcher.cli.demo.EXAMPLES", tmp_path)
    ran = bulkfax("demo")
    assert ran.status == 1
    assert "letter.pdf" in ran.err
    assert "clone" in ran.err


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BULKFAX_REDIS_URL", "redis://:canary/x@127.0.0.1:1/0"),
        ("BULKFAX_REDIS_URL", "redis://:canary@127.0.0.1:99999/0"),
        ("BULKFAX_REDIS_URL", "redis://:canary@[::1/0"),
        ("BULKFAX_REDIS_URL", "http://:canary@127.0.0.1:1"),
        ("BULKFAX_REDIS_URL", "redis://:canary@127.0.0.1:1/0"),
        ("BULKFAX_PORT", "canary"),
        ("BULKFAX_LOG_FORMAT", "canary"),
        ("BULKFAX_PUBLIC_URL", "canary"),
        ("BULKFAX_SINCH__AUTH", "canary"),
        ("BULKFAX_SINCH", '{"key_secrett": "canary"}'),
        ("BULKFAX_SINCH", '{"key_secret": "canary"'),
    ],
)
def test_no_error_and_no_trace_shows_a_secret_in_a_bad_setting(
    bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("BULKFAX_LOG_LEVEL", "debug")
    monkeypatch.setenv(variable, value)
    ran = bulkfax("doctor")
    assert ran.status in {1, 2}
    assert "Traceback" in ran.err
    assert "canary" not in ran.out + ran.err
