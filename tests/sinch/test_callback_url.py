import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sinch.callback_url import callback_url, sign, verify

OLD, NEW = b"old key", b"new key"


@given(st.binary(min_size=1), st.text(), st.integers(0))
def test_a_signature_is_valid_for_its_job_and_attempt(key: bytes, job: str, attempt: int) -> None:
    assert verify([key], job, attempt, sign(key, job, attempt))


@pytest.mark.parametrize(
    ("job", "attempt", "signature"),
    [("b1.8", 1, sign(OLD, "b1.7", 1)), ("b1.7", 2, sign(OLD, "b1.7", 1)), ("b1.7", 1, ""), ("b1.7", 1, "é" * 43)],
)
def test_a_signature_is_valid_for_nothing_else(job: str, attempt: int, signature: str) -> None:
    assert not verify([OLD], job, attempt, signature)


@given(st.text(st.characters()))
def test_any_text_may_be_offered_as_a_signature(signature: str) -> None:
    assert not verify([OLD], "b1.7", 1, signature)


def test_every_key_of_the_list_verifies() -> None:
    assert verify([NEW, OLD], "b1.7", 1, sign(OLD, "b1.7", 1))
    assert verify([NEW, OLD], "b1.7", 1, sign(NEW, "b1.7", 1))
    assert not verify([NEW], "b1.7", 1, sign(OLD, "b1.7", 1))
    assert not verify([], "b1.7", 1, sign(OLD, "b1.7", 1))


@pytest.mark.parametrize("public", ["https://a.example", "https://a.example/", "https://b.example/fax"])
def test_host_and_path_prefix_are_not_signed(public: str) -> None:
    url = callback_url(public, "b1.7", 3, OLD)
    assert url == f"{public.rstrip('/')}/callbacks/sinch/b1.7/3/{sign(OLD, 'b1.7', 3)}"


def test_a_signature_needs_no_encoding_in_a_url() -> None:
    assert all(c.isalnum() or c in "-_" for n in range(50) for c in sign(OLD, "b1.7", n))
