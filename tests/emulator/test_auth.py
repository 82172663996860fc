"""Who may call: Basic, tokens, their end, and the shape of a 401."""

import httpx
import pytest

from dispatcher.emulator import EmulatorConfig, running
from tests.emulator.caller import Caller


def ask_token(where: Caller, **more: object) -> httpx.Response:
    config = where.config
    asked = {"auth": (config.key_id, config.key_secret), "data": {"grant_type": "client_credentials"}, **more}
    return where.post(f"{where.where.url}/oauth2/token", **asked)  # type: ignore[arg-type]


def list_with(where: Caller, header: str | None, project: str | None = None) -> httpx.Response:
    headers = {} if header is None else {"Authorization": header}
    project = project or where.config.project_id
    return where.get(f"{where.where.url}/v3/projects/{project}/faxes", headers=headers, auth=None)


def test_a_token_has_the_documented_fields_and_opens_the_api(emulator: Caller) -> None:
    token = ask_token(emulator).json()
    assert token["expires_in"] == 3600
    assert token["token_type"] == "bearer"
    assert token["scope"] == ""
    assert list_with(emulator, f"Bearer {token['access_token']}").status_code == 200


def test_several_tokens_of_one_key_hold_at_once(emulator: Caller) -> None:
    tokens = [ask_token(emulator).json()["access_token"] for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert [list_with(emulator, f"Bearer {token}").status_code for token in tokens] == [200, 200]


@pytest.mark.parametrize("header", [None, "Basic eDp5", "Bearer nonsense", "Bearer a.b.c", "Digest x", "Bearer"])
def test_unknown_credentials_get_401_without_a_body_and_without_the_word_expired(
    emulator: Caller, header: str | None
) -> None:
    answer = list_with(emulator, header)
    assert (answer.status_code, answer.content) == (401, b"")
    assert "expired" not in answer.headers["www-authenticate"]


def test_another_project_gets_401_without_a_body(emulator: Caller) -> None:
    token = ask_token(emulator).json()["access_token"]
    answer = list_with(emulator, f"Bearer {token}", project="another")
    assert (answer.status_code, answer.content) == (401, b"")


def test_a_wrong_key_gets_no_token(emulator: Caller) -> None:
    assert ask_token(emulator, auth=("who", "what")).status_code == 401


def test_another_grant_gets_no_token(emulator: Caller) -> None:
    assert ask_token(emulator, data={"grant_type": "password"}).status_code == 400


def test_an_expired_token_is_told_in_the_header_and_a_new_one_helps() -> None:
    with running(EmulatorConfig(token_life_s=60)) as where, Caller(where) as caller:
        token = ask_token(caller).json()["access_token"]
        caller.tool("POST", "clock", json={"advanceSeconds": 61})
        answer = list_with(caller, f"Bearer {token}")
        assert (answer.status_code, answer.content) == (401, b"")
        assert "Jwt expired at 20" in answer.headers["www-authenticate"]
        again = ask_token(caller).json()["access_token"]
        assert list_with(caller, f"Bearer {again}").status_code == 200


def test_a_token_outlives_a_restart_of_the_emulator() -> None:
    config = EmulatorConfig()
    with running(config) as where, Caller(where) as caller:
        token = ask_token(caller).json()["access_token"]
    with running(config) as where, Caller(where) as caller:
        assert list_with(caller, f"Bearer {token}").status_code == 200


def test_the_token_endpoint_has_a_limit_of_its_own() -> None:
    with running(EmulatorConfig(token_rate=0.001, token_burst=2)) as where, Caller(where) as caller:
        answers = [ask_token(caller) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert "retry-after" not in answers[2].headers
        assert caller.get("/faxes").status_code == 200
