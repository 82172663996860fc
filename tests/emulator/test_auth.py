"""Authentication: Basic credentials, tokens and their expiry, and the format of a 401."""

import httpx
import pytest

from dispatcher.emulator import EmulatorConfig, running
from tests.emulator.emulator_client import EmulatorClient


def request_token(client: EmulatorClient, **options: object) -> httpx.Response:
    config = client.config
    request = {"auth": (config.key_id, config.key_secret), "data": {"grant_type": "client_credentials"}, **options}
    return client.post(f"{client.server.url}/oauth2/token", **request)  # type: ignore[arg-type]


def list_faxes(client: EmulatorClient, header: str | None, project: str | None = None) -> httpx.Response:
    headers = {} if header is None else {"Authorization": header}
    project = project or client.config.project_id
    return client.get(f"{client.server.url}/v3/projects/{project}/faxes", headers=headers, auth=None)


def test_a_token_has_the_documented_fields_and_opens_the_api(emulator: EmulatorClient) -> None:
    token = request_token(emulator).json()
    assert token["expires_in"] == 3600
    assert token["token_type"] == "bearer"
    assert token["scope"] == ""
    assert list_faxes(emulator, f"Bearer {token['access_token']}").status_code == 200


def test_several_tokens_of_one_key_are_valid_at_the_same_time(emulator: EmulatorClient) -> None:
    tokens = [request_token(emulator).json()["access_token"] for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert [list_faxes(emulator, f"Bearer {token}").status_code for token in tokens] == [200, 200]


@pytest.mark.parametrize("header", [None, "Basic eDp5", "Bearer nonsense", "Bearer a.b.c", "Digest x", "Bearer"])
def test_unknown_credentials_get_401_without_a_body_and_without_the_word_expired(
    emulator: EmulatorClient, header: str | None
) -> None:
    answer = list_faxes(emulator, header)
    assert (answer.status_code, answer.content) == (401, b"")
    assert "expired" not in answer.headers["www-authenticate"]


def test_another_project_gets_401_without_a_body(emulator: EmulatorClient) -> None:
    token = request_token(emulator).json()["access_token"]
    answer = list_faxes(emulator, f"Bearer {token}", project="another")
    assert (answer.status_code, answer.content) == (401, b"")


def test_a_wrong_key_gets_no_token(emulator: EmulatorClient) -> None:
    assert request_token(emulator, auth=("who", "what")).status_code == 401


def test_another_grant_gets_no_token(emulator: EmulatorClient) -> None:
    assert request_token(emulator, data={"grant_type": "password"}).status_code == 400


def test_the_header_says_that_a_token_is_expired_and_a_new_token_is_accepted() -> None:
    with running(EmulatorConfig(token_life_s=60)) as server, EmulatorClient(server) as client:
        token = request_token(client).json()["access_token"]
        client.control("POST", "clock", json={"advanceSeconds": 61})
        answer = list_faxes(client, f"Bearer {token}")
        assert (answer.status_code, answer.content) == (401, b"")
        assert "Jwt expired at 20" in answer.headers["www-authenticate"]
        new_token = request_token(client).json()["access_token"]
        assert list_faxes(client, f"Bearer {new_token}").status_code == 200


def test_a_token_outlives_a_restart_of_the_emulator() -> None:
    config = EmulatorConfig()
    with running(config) as server, EmulatorClient(server) as client:
        token = request_token(client).json()["access_token"]
    with running(config) as server, EmulatorClient(server) as client:
        assert list_faxes(client, f"Bearer {token}").status_code == 200


def test_the_token_endpoint_has_a_limit_of_its_own() -> None:
    with running(EmulatorConfig(token_rate=0.001, token_burst=2)) as server, EmulatorClient(server) as client:
        answers = [request_token(client) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert "retry-after" not in answers[2].headers
        assert client.get("/faxes").status_code == 200
