"""Addresses of Redis, in all their forms."""

import pytest

from dispatcher.core.policy.policy import Policy
from dispatcher.runtime import make_queues, make_store
from dispatcher.settings import Settings, SettingsError
from dispatcher.store.address import RedisKind, parse


@pytest.mark.parametrize(
    ("url", "kind", "server", "hosts", "master", "sentinel"),
    [
        ("redis://:pw@h:1/2", RedisKind.SERVER, "redis://:pw@h:1/2", (), "", ""),
        (
            *("redis+sentinel://h1/main", RedisKind.SENTINEL, "redis://localhost/0", (("h1", 26379),), "main"),
            "redis://localhost",
        ),
        (
            "redis+sentinel://user:p%2Fw@h1:1,h2,[::1]:3/main/4?health_check_interval=5&sentinel_password=s%26t",
            *(RedisKind.SENTINEL, "redis://user:p%2Fw@localhost/4?health_check_interval=5"),
            *((("h1", 1), ("h2", 26379), ("::1", 3)), "main", "redis://localhost?password=s%26t"),
        ),
        (
            "rediss+sentinel://h1/main?ssl_ca_certs=/etc/ca.pem&sentinel_username=u",
            *(RedisKind.SENTINEL, "rediss://localhost/0?ssl_ca_certs=%2Fetc%2Fca.pem", (("h1", 26379),), "main"),
            "rediss://localhost?ssl_ca_certs=%2Fetc%2Fca.pem&username=u",
        ),
        (
            "rediss+sentinel://h1/main/0?ssl_ca_certs=/etc/ca.pem&sentinel_tls=no",
            *(RedisKind.SENTINEL, "rediss://localhost/0?ssl_ca_certs=%2Fetc%2Fca.pem", (("h1", 26379),), "main"),
            "redis://localhost",
        ),
        (
            *("rediss+cluster://u:pw@h1,h2:7001/0", RedisKind.CLUSTER, "rediss://u:pw@localhost/0"),
            *((("h1", 6379), ("h2", 7001)), "", ""),
        ),
    ],
)
def test_each_form(
    url: str, kind: RedisKind, server: str, hosts: tuple[tuple[str, int], ...], master: str, sentinel: str
) -> None:
    address = parse(url)
    assert (address.kind, address.url, address.hosts, address.master) == (kind, server, hosts, master)
    assert address.sentinel_url == sentinel


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis+sentinel://:secret@h1,h2", "name of the master is missing"),
        ("redis+sentinel://:secret@h1//0", "name of the master is missing"),
        ("redis+sentinel://:secret@h1/main/first", "database is no number"),
        ("redis+sentinel://:secret@/main", "host is missing"),
        ("redis+sentinel://:secret@h1,/main", "host is missing"),
        ("redis+sentinel://h1:x/main?sentinel_password=secret", "[Pp]ort"),
        ("redis+sentinel://h1/main?sentinel_tls=maybe&sentinel_password=secret", "yes or no"),
        ("redis+cluster://:secret@h1/3", "no databases but 0"),
        ("unix+sentinel://h1/main", "must begin with"),
        ("redis+other://:secret@h1", "must begin with"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_secrets(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as raised:
        parse(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("variable", ["redis_url", "broker_url"])
def test_the_settings_say_what_is_wrong_with_an_address(variable: str) -> None:
    settings = Settings.model_validate({variable: "redis+sentinel://:secret@h1"})
    with pytest.raises(SettingsError, match=f"BULKFAX_{variable.upper()}: the name of the master is missing"):
        make_store(settings, Policy()) if variable == "redis_url" else make_queues(settings)


def test_a_parsed_address_shows_no_secret() -> None:
    assert "secret" not in repr(parse("redis+sentinel://:secret@h1/main?sentinel_password=secret"))
