"""Every error of a call to the provider is one sentence that says what to do."""

import pytest

from dispatcher.cli.provider.provider_call import error_message
from dispatcher.sinch.errors import (
    NotFoundError,
    NotSentError,
    RateLimitedError,
    RefusedError,
    ResponseLostError,
    SaveError,
    SinchError,
    UnreadableError,
)
from tests.cli.conftest import Bulkfax


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RefusedError(status=401), "BULKFAX_SINCH__KEY_SECRET"),
        (RefusedError(status=402, message="no balance"), "no money"),
        (RefusedError(status=403), "BULKFAX_SINCH__PROJECT_ID"),
        (RefusedError(status=422, message="name: too long"), "refuses that (422): name: too long"),
        (RefusedError(status=400), "does not say why"),
        (NotFoundError(status=404, message="no such fax"), "does not know that (no such fax)"),
        (RateLimitedError(None), "again in a moment"),
        (NotSentError("no token: no connection"), "BULKFAX_SINCH__AUTH_URL"),
        (ResponseLostError("no answer within 30 s"), "before you try again"),
        (SaveError("cannot write x"), "cannot write x"),
        (UnreadableError("the answer is no Fax"), "makes no sense"),
    ],
)
def test_each_error_says_what_to_do(error: SinchError, says: str) -> None:
    assert says in error_message(error, "https://fax.example.com")


@pytest.mark.parametrize(
    ("name", "value", "status", "says"),
    [
        ("KEY_SECRET", "wrong", 1, "BULKFAX_SINCH__KEY_SECRET"),
        ("KEY_SECRET", "", 2, "set BULKFAX_SINCH__KEY_SECRET"),
        ("PROJECT_ID", "", 2, "set BULKFAX_SINCH__PROJECT_ID"),
        ("PROJECT_ID", "other", 1, "error: the provider does not"),
        ("BASE_URL", "fax.example.com", 2, "BULKFAX_SINCH__BASE_URL"),
        ("BASE_URL", "http://127.0.0.1:1", 1, "cannot be asked at http://127.0.0.1:1"),
    ],
)
def test_a_wrong_setting_is_named(
    provider: Bulkfax, monkeypatch: pytest.MonkeyPatch, name: str, value: str, status: int, says: str
) -> None:
    monkeypatch.setenv(f"BULKFAX_SINCH__{name}", value)
    ran = provider("services", "list")
    assert (ran.status, ran.out) == (status, "")
    assert says in ran.err


@pytest.mark.parametrize("words", [("faxes", "shwo"), ("faxes", "show"), ("services", "show", "a", "b")])
def test_an_unknown_command_is_wrong_usage(provider: Bulkfax, words: tuple[str, ...]) -> None:
    assert provider(*words).status == 2
