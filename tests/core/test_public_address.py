"""Addresses of documents: whatever cannot be meant for the provider is refused."""

from contextlib import suppress
from ipaddress import ip_address

import pytest

from dispatcher.core.public_address import address_fault, is_public, webhook_fault

PUBLIC = [
    "https://example.com/a.pdf",
    "http://example.com:8080/a.pdf?x=1#page=2",
    "https://sub.example.co.uk./a.pdf",
    "https://EXAMPLE.com",
    "https://example.com:/",
    f"https://{'a' * 63}.{'a.' * 88}example.com./",
    "https://files_1.example.com/a%20b.pdf",
    "https://xn--bcher-kva.example/a.pdf",
    "https://8.8.8.8/a.pdf",
    "https://[2606:4700:4700::1111]/a.pdf",
    "https://[::ffff:8.8.8.8]:443/a.pdf",
    "https://example.com/a.pdf?user=a@b",
    "https://10.example.com/a.pdf",
    "https://0x7f.example.com/a.pdf",
    "https://localhost.example.com/a.pdf",
]
NO_ADDRESS = [
    *("", "example.com/a.pdf", "ftp://example.com/a.pdf", "file:/etc/passwd", "gopher://example.com", "https://"),
    *("https:///a.pdf", "http:/127.0.0.1/", "https://[x", "https://example.com:99999/a.pdf", "https://example.com:0/"),
    *("https://exa mple.com/", "https://example.com/\\r\\nHost:x", "https://bücher.example/a.pdf", "http://a%00b/"),
    *(
        "https://127.0.0.1[2606:4700:4700::1111]/",
        "https://[2606:4700:4700::1111]example.com/",
        "http://[::1]127.0.0.1/",
    ),
    *("https://a..b.com/", "https://.example.com/", "https://example.com../", f"https://{'a' * 64}.example.com/"),
    *(f"https://{'a.' * 130}com/", "https://example.com:80:443/", "https://-a.example.com/"),
    *("http://exa<mple.com/", "http://-/", "http://./", "http://example.com|evil/", "http://127.0.0.1%2f@example.com/"),
]
CREDENTIALS = ["https://user:password@example.com/", "https://user@example.com/", "https://@example.com/"]
PRIVATE = [
    *("127.0.0.1", "127.0.0.1:6379", "127.1.2.3", "10.0.0.1", "172.16.5.4", "192.168.1.1", "0.0.0.0"),
    *("169.254.169.254", "169.254.0.1", "100.100.100.200", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
    *(
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
    ),
    *("[::ffff:0:169.254.169.254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[ff02::1]"),
    *(
        "localhost",
        "LOCALHOST",
        "localhost.",
        "localhost:8080",
        "web.localhost",
        "localhost.localdomain",
        "printer.local",
    ),
    *("metadata.google.internal", "router.home.arpa"),
    *("[64:ff9b:1::a00:1]", "[fec0::1]", "[5f00::1]", "[4000::1]", "192.0.0.8", "192.88.99.1"),
]
ODD = [
    *(
        "0",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.0x1",
        "0x",
        "127.0.1",
    ),
    *(
        "1.2.3.4.5",
        "256.1.1.1",
        "00000127.0.0.1",
        "4294967296",
        "134744072",
        "8.8.8.010",
        "[fe80::1%25eth0]",
        "[1.2.3.4]",
    ),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_taken(text: str) -> None:
    assert address_fault(text) == ""


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_what_is_no_full_address_is_refused(text: str) -> None:
    assert address_fault(text)


@pytest.mark.parametrize("text", CREDENTIALS)
def test_user_and_password_are_refused(text: str) -> None:
    assert "password" in address_fault(text)


@pytest.mark.parametrize("host", PRIVATE)
def test_an_address_that_the_provider_cannot_mean_is_refused(host: str) -> None:
    assert "upload the document" in address_fault(f"http://{host}/a.pdf")


@pytest.mark.parametrize("host", ODD)
def test_an_odd_spelling_of_an_address_is_refused(host: str) -> None:
    assert address_fault(f"http://{host}/a.pdf")


@pytest.mark.parametrize("text", ["http://a\\@127.0.0.1/", "http://127.0.0.1\\.example.com/", "http:\\\\127.0.0.1/"])
def test_a_backslash_is_refused(text: str) -> None:
    assert "backslashes" in address_fault(text)


@pytest.mark.parametrize("text", [text for text in PUBLIC if text.startswith("https")])
def test_a_webhook_endpoint_may_have_any_public_address(text: str) -> None:
    assert webhook_fault(text, private=False) == ""


@pytest.mark.parametrize("host", [*PRIVATE, *ODD])
def test_a_webhook_endpoint_has_no_private_address_unless_a_setting_allows_it(host: str) -> None:
    assert webhook_fault(f"https://{host}/", private=False)
    if host in PRIVATE:
        assert "BULKFAX_WEBHOOK_PRIVATE_ADDRESSES" in webhook_fault(f"https://{host}/", private=False)
        assert webhook_fault(f"http://{host}/", private=True) == ""


@pytest.mark.parametrize("private", [False, True])
def test_a_webhook_endpoint_has_a_full_address_without_a_password(private: bool) -> None:
    for text in [*NO_ADDRESS, *CREDENTIALS]:
        assert webhook_fault(text, private=private), text
    assert "https" in webhook_fault("http://example.com/", private=False)


@pytest.mark.parametrize("host", PRIVATE)
def test_what_a_name_resolves_to_is_judged_as_an_address_in_the_url_is(host: str) -> None:
    with suppress(ValueError):
        address = str(ip_address(host.strip("[]")))
        assert not is_public(address), address
    assert is_public("8.8.8.8")
    assert is_public("2606:4700:4700::1111")
    assert not is_public("fe80::1%eth0")
    assert not is_public("localhost")
