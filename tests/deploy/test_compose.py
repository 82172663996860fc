"""The compose file: its schema, and that every file, command and variable that it names exists."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from dispatcher.core.policy.policy import Policy
from dispatcher.emulator.__main__ import _parser
from dispatcher.local.ports import free_port
from dispatcher.settings import SinchSettings, load_settings
from tests.deploy.compose import COMPOSE, MissingVariable, example, interpolated, mounts, services, variables
from tests.deploy.dockerfile import DEPLOY, ROOT
from tests.deploy.test_image import commands
from tests.local.watching import until
from workers.process import stop_s

#: what runs from our image
OURS = ("web", "scheduler", "worker", "emulator")
#: what needs no privileges and no writable root; Grafana writes where it is installed
READ_ONLY = {*OURS, "redis", "prometheus", "alertmanager"}
#: variables that docker compose or Grafana read
FOREIGN = {"COMPOSE_PROFILES"}

SCHEMA_CHECK = """
import json, sys
import compose_spec
options = compose_spec.PyOptions(apply_merge=True)
compose = options.from_yaml(sys.stdin.read())
compose.validate()
print(json.dumps(sorted(compose.service_names())))
"""


def test_it_satisfies_the_compose_specification(tools: Path) -> None:
    text = interpolated(COMPOSE.read_text(encoding="utf-8"), example())
    command = [str(tools / "python"), "-c", SCHEMA_CHECK]
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == sorted(services())


def test_the_schema_check_is_strict(tools: Path) -> None:
    text = interpolated(COMPOSE.read_text(encoding="utf-8"), example()).replace("restart:", "restrat:")
    ran = subprocess.run(
        [tools / "python", "-c", SCHEMA_CHECK], input=text, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "restrat" in ran.stderr


def test_every_file_that_is_mounted_exists() -> None:
    for name, service in services().items():
        assert all(path.exists() for path in mounts(service)), name
    assert {path for service in services().values() for path in mounts(service)} >= {
        ROOT / "grafana/rules/bulkfax.yaml",
        ROOT / "grafana/dashboards",
        ROOT / "grafana/provisioning",
        DEPLOY / "prometheus.yaml",
    }


def test_every_command_exists() -> None:
    for name in OURS:
        program, command, *options = services()[name]["command"]
        assert program == "bulkfax"
        assert command in commands()
        if command == "emulator":
            _parser().parse_args(options)
        else:
            assert not options


def test_the_example_sets_exactly_what_is_asked_for() -> None:
    asked = variables(COMPOSE.read_text(encoding="utf-8"))
    assert set(example()) - asked == FOREIGN
    optional = {"BULKFAX_VERSION", "BULKFAX_CALLBACK_KEYS", "BULKFAX_DEFAULT_COUNTRY", "EMULATOR_SPEED"}
    assert asked - set(example()) == optional


@pytest.mark.parametrize(
    "name", ["BULKFAX_SINCH__KEY_SECRET", "BULKFAX_API_KEYS", "REDIS_PASSWORD", "GRAFANA_PASSWORD"]
)
@pytest.mark.parametrize("value", [None, ""])
def test_it_does_not_start_without_a_secret(name: str, value: str | None) -> None:
    values = example() | {name: value} if value is not None else {k: v for k, v in example().items() if k != name}
    with pytest.raises(MissingVariable, match=name):
        services({key: text for key, text in values.items() if text is not None})


@pytest.mark.parametrize("name", ["web", "scheduler", "worker"])
def test_the_environment_is_valid_settings(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for variable, value in services()[name]["environment"].items():
        monkeypatch.setenv(variable, str(value))
    settings = load_settings()
    assert settings.sinch.base_url == "http://emulator:8099"
    assert settings.redis_url == "redis://:change-me@redis:6379/0"


def test_without_the_lines_of_the_emulator_the_provider_is_asked() -> None:
    values = {name: value for name, value in example().items() if "URL" not in name and name != "COMPOSE_PROFILES"}
    environment = services(values)["worker"]["environment"]
    assert environment["BULKFAX_SINCH__BASE_URL"] == SinchSettings().base_url
    assert environment["BULKFAX_SINCH__AUTH_URL"] == SinchSettings().auth_url


def test_containers_have_no_rights_that_they_do_not_need() -> None:
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only", False) == (name in READ_ONLY), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert "ports" not in services()["redis"]
    assert services()["redis"]["networks"] == ["inside"]


def test_a_worker_may_finish_its_sends() -> None:
    assert int(services()["worker"]["stop_grace_period"].removesuffix("s")) >= stop_s(Policy()) + 5


def test_redis_keeps_what_it_acknowledged_and_wants_the_password(tmp_path: Path) -> None:
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is missing")
        pytest.skip("redis-server is missing")
    port = free_port()
    (tmp_path / "redis.conf").write_text((DEPLOY / "redis.conf").read_text().replace("/data", str(tmp_path)))
    shell, option, script = services()["redis"]["command"]
    script = script.replace("/etc/redis/redis.conf", str(tmp_path / "redis.conf"))
    script = script.replace("/tmp/redis.conf", str(tmp_path / "complete.conf")) + f" --port {port} --bind 127.0.0.1"
    environment = os.environ | services()["redis"]["environment"]
    process = subprocess.Popen([shell, option, script], env=environment, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port) as stranger, redis.Redis(port=port, password="change-me") as client:
            until(lambda: _answers(client))
            with pytest.raises(redis.AuthenticationError):
                stranger.ping()
            settings: dict[str, Any] = client.config_get("append*", "maxmemory-policy")
        assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "always")
        assert settings["maxmemory-policy"] == "noeviction"
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"redis-server" in arguments, "it is the process that gets the signals"
        assert b"change-me" not in arguments
    finally:
        process.terminate()
        process.wait(20)


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_prometheus_scrapes_all_processes_with_the_rules(tmp_path: Path) -> None:
    config = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text(encoding="utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs["bulkfax"]["metrics_path"] == "/metrics/installation"
    lookups = jobs["bulkfax-processes"]["dns_sd_configs"]
    names = {(name, lookup["port"]) for lookup in lookups for name in lookup["names"]}
    port = int(services()["worker"]["environment"]["BULKFAX_METRICS_PORT"])
    assert names == {("web", 8080), ("scheduler", port), ("worker", port)}
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing")
    [rules] = config["rule_files"]
    assert any(volume.split(":")[1] == rules for volume in services()["prometheus"]["volumes"] if ":" in volume)
    text = (DEPLOY / "prometheus.yaml").read_text(encoding="utf-8")
    (tmp_path / "prometheus.yaml").write_text(text.replace(rules, str(ROOT / "grafana/rules/bulkfax.yaml")))
    ran = subprocess.run([promtool, "check", "config", tmp_path / "prometheus.yaml"], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_alertmanager_accepts_its_configuration() -> None:
    amtool = shutil.which("amtool")
    if amtool is None:
        pytest.skip("amtool is missing")
    ran = subprocess.run([amtool, "check-config", DEPLOY / "alertmanager.yaml"], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_grafana_gets_what_the_provisioning_reads() -> None:
    service = services()["grafana"]
    read = set(re.findall(r"\$\{(\w+)\}", (ROOT / "grafana/provisioning/datasources/prometheus.yaml").read_text()))
    assert read <= set(service["environment"])
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/bulkfax.yaml").read_text())
    path = provider["providers"][0]["options"]["path"]
    assert f"../grafana/dashboards:{path}:ro" in service["volumes"]
