import pytest

from dispatcher.core.signatures import Purpose, sign
from dispatcher.sinch.callback_url import callback_url, is_genuine

KEY = b"key"


@pytest.mark.parametrize("public", ["https://a.example", "https://a.example/", "https://b.example/fax"])
def test_host_and_path_prefix_are_not_signed(public: str) -> None:
    url = callback_url(public, "b1.7", 3, KEY)
    assert url == f"{public.rstrip('/')}/callbacks/sinch/b1.7/3/{sign(Purpose.CALLBACK, KEY, 'b1.7', 3)}"


def test_the_address_of_an_attempt_is_genuine_for_that_attempt_only() -> None:
    signature = callback_url("https://a.example", "b1.7", 3, KEY).rpartition("/")[2]
    assert is_genuine([KEY], "b1.7", 3, signature)
    assert not is_genuine([KEY], "b1.7", 4, signature)
    assert not is_genuine([KEY], "b1.8", 3, signature)


def test_a_signature_needs_no_encoding_in_a_url() -> None:
    assert all(callback_url("", "b", n, KEY).rpartition("/")[2].isalnum() for n in range(50))
