"""Signatures of URLs: each is valid for one purpose and one message, and for nothing else."""

import base64
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.signatures import LENGTH, Purpose, is_any_of, sign, verify

OLD, NEW = b"old key", b"new key"
CALLBACK, DOCUMENT = Purpose.CALLBACK, Purpose.DOCUMENT
SIGNATURE = sign(CALLBACK, OLD, "b1.7", 1)


@given(st.binary(min_size=1), st.text(), st.integers(0))
def test_a_signature_is_valid_for_its_message(key: bytes, job: str, attempt: int) -> None:
    assert verify(CALLBACK, [key], sign(CALLBACK, key, job, attempt), job, attempt)


@given(st.binary(min_size=1), st.lists(st.text(st.characters()), max_size=3))
def test_a_signature_of_a_document_is_that_of_no_callback_whatever_the_job_is_named(
    key: bytes, parts: list[str]
) -> None:
    assert sign(DOCUMENT, key, *parts) != sign(CALLBACK, key, *parts)
    assert not verify(CALLBACK, [key], sign(DOCUMENT, key, *parts), *parts)


def test_a_signature_for_one_purpose_does_not_reveal_the_key_of_another() -> None:
    """A signature under the configured key itself could be the derived key, were a job named like the purpose."""
    for purpose in Purpose:
        derived = hmac.digest(OLD, f"bulkfax/{purpose}".encode(), "sha256")
        assert derived.hex() not in {sign(each, OLD, f"bulkfax/{purpose}") for each in Purpose}


def _before(job: str, attempt: int) -> str:
    """Return the signature that versions before purposes made."""
    digest = hmac.digest(OLD, f"{job} {attempt}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


FORGERIES = {
    "of another job": sign(CALLBACK, OLD, "b1.8", 1),
    "of another attempt": sign(CALLBACK, OLD, "b1.7", 2),
    "of the same text, divided differently": sign(CALLBACK, OLD, "b1.71"),
    "with a key that is not ours": sign(CALLBACK, NEW, "b1.7", 1),
    "of a document": sign(DOCUMENT, OLD, "b1.7", 1),
    "of a version before purposes": _before("b1.7", 1),
    "of nothing": "",
    "cut short": SIGNATURE[:-1],
    "with more behind it": f"{SIGNATURE}0",
    "with a newline behind it": f"{SIGNATURE}\n",
    "in capitals": SIGNATURE.upper(),
    "in full-width digits": "\uff10" * LENGTH,
    "of half a surrogate pair": "\ud800" * LENGTH,
    "of ten million characters": SIGNATURE[:1] * 10_000_000,
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_signature_is_refused(forgery: str) -> None:
    assert not verify(CALLBACK, [OLD], forgery, "b1.7", 1)


@given(st.text(st.characters(), min_size=LENGTH, max_size=LENGTH))
def test_any_text_may_be_offered_as_a_signature(signature: str) -> None:
    assert not verify(CALLBACK, [OLD], signature, "b1.7", 1)


def test_every_key_of_the_list_verifies() -> None:
    assert verify(CALLBACK, [NEW, OLD], SIGNATURE, "b1.7", 1)
    assert verify(CALLBACK, [NEW, OLD], sign(CALLBACK, NEW, "b1.7", 1), "b1.7", 1)
    assert not verify(CALLBACK, [], SIGNATURE, "b1.7", 1)


@pytest.mark.parametrize("offered", ["", "secre", "secrets", "SECRET", "secret\0", "\ud800"])
def test_a_text_that_is_none_of_the_secrets_is_refused(offered: str) -> None:
    assert not is_any_of(offered, ["secret", "other"])
    assert is_any_of("secret", ["other", "secret"])


def test_secrets_are_compared_in_one_place_only(repository: Path) -> None:
    """The emulator is left out, because it shares no code with the product."""
    files = [*(repository / "dispatcher").rglob("*.py"), *(repository / "workers").rglob("*.py")]
    comparing = {file.relative_to(repository).as_posix() for file in files if "compare_digest" in file.read_text()}
    assert {name for name in comparing if "/emulator/" not in name} == {"dispatcher/core/signatures.py"}
