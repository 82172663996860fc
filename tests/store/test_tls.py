"""A real server that talks TLS only and lets nobody in without a certificate."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import anyio.to_thread
import pytest

from dispatcher.core.policy.policy import Policy
from dispatcher.local.errors import ServerNotStarted
from dispatcher.store.errors import StoreUnavailable
from dispatcher.store.queues import Queues
from dispatcher.store.store import Store
from tests.redis_servers import DURABLE, PASSWORD, Certificates, RedisProcess, sentinel_group

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "certificates")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[RedisProcess]:
    folder = tmp_path_factory.mktemp("server")
    try:
        with RedisProcess(folder, *DURABLE, "requirepass", PASSWORD, certificates=certificates) as server:
            if not server.answers(password=PASSWORD):
                pytest.skip("the server program has no TLS")
            yield server
    except ServerNotStarted as error:
        pytest.skip(str(error))


async def refusal(url: str) -> str:
    """Why the store cannot use an address; empty if it can."""
    store = Store(url, Policy(), documents_max_bytes=1)
    try:
        await store.ping()
    except StoreUnavailable as error:
        return str(error)
    finally:
        await store.aclose()
    return ""


async def test_what_is_wrong_is_one_line(
    server: RedisProcess, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place, files = f"127.0.0.1:{server.port}", certificates.client_options
    stranger = Certificates(tmp_path_factory.mktemp("other") / "certificates")
    anonymous = {"ssl_ca_certs": files["ssl_ca_certs"]}

    async def refused(
        options: dict[str, str], password: str = PASSWORD, scheme: str = "rediss", host: str = place
    ) -> str:
        return await refusal(f"{scheme}://:{password}@{host}/0?{urlencode(options)}")

    assert not await refused(files)
    reasons = {
        await refused({**files, "ssl_ca_certs": stranger.client_options["ssl_ca_certs"]}): "certificate verify failed",
        await refused(anonymous): "Redis does not answer",
        await refused({**files, "ssl_ca_certs": "nowhere.pem"}): "Redis does not answer",
        await refused(files, password="wrong"): "Redis refuses our login",
        await refused({}, scheme="redis"): "Redis does not answer",
    }
    for said, expected in reasons.items():
        assert expected in said
        assert "\n" not in said
        assert PASSWORD not in said


async def test_sentinels_and_their_servers_are_reached_with_tls(
    server: RedisProcess, certificates: Certificates, tmp_path: Path
) -> None:
    """For both clients. Without TLS to the Sentinels nobody answers."""
    assert server.pid, "this server program has TLS"
    with sentinel_group(tmp_path / "group", servers=2, certificates=certificates) as group:
        url = f"rediss{group.url.removeprefix('redis')}&{urlencode(certificates.client_options)}"
        assert not await refusal(url)
        queues = Queues(url, next_database=True)
        await anyio.to_thread.run_sync(queues.push, "bulk", [b"message"])
        assert queues.lengths(["bulk"]) == {"bulk": 1}
        queues.close()
        assert "no Sentinel of" in await refusal(f"{url}&sentinel_tls=no")


@pytest.mark.parametrize(("scheme", "path"), [("rediss", ""), ("rediss+sentinel", "main"), ("redis+cluster", "")])
def test_an_option_that_does_not_exist_is_refused_at_once(scheme: str, path: str) -> None:
    """It would fail at the first connection, as an error of the program."""
    with pytest.raises(ValueError, match="an option that does not exist"):
        Store(
            f"{scheme}://127.0.0.1/{'main' if 'sentinel' in scheme else ''}?ssl_ca_cert=ca.pem",
            Policy(),
            documents_max_bytes=1,
        )
