"""A provider, or a gateway in front of it, that repeats our requests: no credential and no full number passes."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from dispatcher.core.outcome import Refused
from dispatcher.sinch.auth import Auth, Basic, OAuth, read_token
from dispatcher.sinch.callback_url import callback_url
from dispatcher.sinch.coerce import explanation, text
from dispatcher.sinch.errors import SinchError
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.pool import HttpPool
from dispatcher.sinch.redaction import HIDDEN, with_masked_numbers, without_credentials
from dispatcher.sinch.responses import SinchResponse
from tests.sinch.operations import FAX_ANSWER, NO_TLS, OPERATIONS, AnyProvider, client_of, impatient, values_in
from tests.sinch.wire_client import FAX

__all__ = ["impatient"]
pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("impatient")]

KEY, SECRET = "5f3c9d1e-key", "qP7~zR4/vT1+wX8=yB5c"
PAIR = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1ZjNjIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
OPAQUE = "tok_9f8e7d6c5b4a39281706f5e4d3c2b1a0"
CALLBACK = callback_url("https://fax.example.org/in", "b1.7", 2, b"key of the callbacks")
SIGNATURE = CALLBACK.rpartition("/")[2]
DOCUMENT = "https://fax.example.org/documents/abc?expires=1800000000&signature=Zm9vYmFyYmF6cXV4LXNpZ25lZA"
NUMBER = "+12025550123"


@pytest.fixture(autouse=True)
def known() -> None:
    """The process has credentials and two tokens."""
    Basic(KEY, SECRET)
    for token in (OPAQUE, TOKEN):
        body = json.dumps({"access_token": token}).encode()
        read_token(SinchResponse(status=200, body=body), requested_s=0, chance=0)


SECRETS = [SECRET, PAIR, TOKEN, OPAQUE, SIGNATURE, "Zm9vYmFyYmF6cXV4LXNpZ25lZA"]
#: how a text repeats the secrets
ECHOES = [
    f"Authorization: Bearer {TOKEN}",
    f"authorization: bearer {OPAQUE}",
    f"bad header 'Bearer {'a1' * 40}' in request",
    f"{{'Authorization': 'Basic {PAIR}'}}",
    f"client_secret={SECRET}&grant_type=x",
    f"client_secret={quote(SECRET, safe='')}",
    f'{{"access_token":"{OPAQUE}"}}',
    f"token {TOKEN} has no access",
    f"token {OPAQUE} has no access",
    f"secret {SECRET} is wrong",
    f"cannot call {CALLBACK} back",
    f"cannot call {quote(CALLBACK, safe='')} back",
    json.dumps(CALLBACK).replace("/", "\\/"),
    f"cannot fetch {DOCUMENT}",
    f"cannot fetch {quote(DOCUMENT, safe='')}",
    "x" * 480 + f" Bearer {TOKEN}",
    "x" * 480 + f" {OPAQUE}",
]


@pytest.mark.parametrize("echo", ECHOES)
def test_no_secret_of_ours_is_repeated(echo: str) -> None:
    for shown in (without_credentials(echo), explanation(echo, 500), text(echo, 500)):
        # the first characters of a token are the same for all tokens
        assert not any(secret[8:24] in shown or quote(secret, safe="")[8:24] in shown for secret in SECRETS), shown


#: ways to write the number +1 202 555 0123, and others
NUMBERS = [
    "+12025550123",
    "12025550123",
    "2025550123",
    "0012025550123",
    "+1 202 555 0123",
    "+1 (202) 555-0123",
    "(202) 555-0123",
    "202.555.0123",
    "1-202-555-0123",
    "%2B12025550123",
    "%2B1%20202%20555%200123",
    "+1\u2013202\u2013555\u20130123",
    "+1 202 / 555 0123",
    "\uff0b\uff11\uff12\uff10\uff12\uff15\uff15\uff15\uff10\uff11\uff12\uff13",
    "to=12025550123&from",
    '"to":"+12025550123"',
    "tel:+1-202-555-0123;ext",
    "fax12025550123x",
    "555-0123",
    "020 7946 0123",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_fax_number_is_masked_except_for_its_last_digits(number: str) -> None:
    shown = explanation(f"no route to {number} today")
    digits = [character for character in shown if character.isdecimal() and not shown.startswith("%2")]
    assert sum(character.isdecimal() for character in shown.replace("%2B", "").replace("%20", "")) == 3, digits
    assert shown.startswith("no route to ")
    assert shown.endswith(" today")


@pytest.mark.parametrize(
    "said",
    [
        "CALL_ERROR 17: the line is busy",
        "error 50031 (404), 3 of 120 pages, 65535 bytes",
        "to: must be a number of 7 to 15 digits",
        "since 2027-01-15T08:00:00.123Z, until 2027-01-15 09:00:00",
        "no connection: Cannot connect to host 192.168.100.200:8080 ssl:default",
        "the basic service does not bear that",
        "Basic authentication is disabled, use Bearer tokens",
        "the signature is missing",
        "the key secret is wrong",
        "fax 01JGF3Q8V7ZC4M5N6P7R8S9T0V is not there",
    ],
)
def test_an_explanation_stays_as_it_is(said: str) -> None:
    assert explanation(said) == said


def test_nothing_takes_long_to_search() -> None:
    """Each of these takes seconds if a pattern is quadratic; the time limit of the suite notices."""
    for piece in ("1 ", "1%20", "1...", "bearer ", "bearer+", "signature= ", "eyJ", "1.1.1.1.", "callbacks/sinch/"):
        with_masked_numbers(without_credentials(piece * 2_000))


def echoed(provider: AnyProvider) -> bytes:
    request = f"{provider.request}\n{CALLBACK}"
    violation = {"field": NUMBER, "description": request}
    return json.dumps({"code": NUMBER, "message": request, "details": {"fieldViolations": [violation]}}).encode()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("scheme", ["basic", "oauth"])
async def test_no_operation_repeats_an_echo_of_its_request(name: str, scheme: str, tmp_path: Path) -> None:
    """As an error with its message, code, fields and address."""
    if name == "token" or name.startswith("callback"):
        pytest.skip("there is no error text")
    tokens = AnyProvider(body=lambda: iter([json.dumps({"access_token": OPAQUE}).encode()]))
    oauth = OAuth(HttpPool(transport=tokens, context=NO_TLS), "http://auth.test/token", KEY, SECRET)
    auth: Auth = Basic(KEY, SECRET) if scheme == "basic" else oauth
    for status, location in ((400, ""), (404, ""), (307, f"http://x.test/?to={quote(NUMBER)}&t={OPAQUE}")):
        provider = AnyProvider(status=status, headers={"Location": location} if location else {})
        provider.body = lambda provider=provider: iter([echoed(provider)])  # type: ignore[misc]
        async with client_of(provider, auth) as client:
            try:
                result = await OPERATIONS[name].call(client, provider, tmp_path)
            except SinchError as error:
                result = error
        shown = " ".join(str(value) for value in values_in(result))
        assert not any(secret[8:24] in shown for secret in SECRETS), shown
        assert NUMBER[1:] not in shown
        assert quote(NUMBER) not in shown
        assert HIDDEN in shown or (name, status) == ("read", 404)  # it is not known


async def test_a_refused_send_says_why_without_the_number() -> None:
    body = json.dumps({"code": "400", "message": f"{NUMBER} is barred for key {OPAQUE} (error 17)"}).encode()
    async with client_of(AnyProvider(status=400, body=lambda: iter([body]))) as client:
        outcome = await client.send(FaxOrder(to=FAX.to, content_urls=FAX.content_urls), total_s=5)
    assert outcome == Refused(status=400, message=f"+********123 is barred for key {HIDDEN} (error 17)")


async def test_a_fax_is_shown_with_its_numbers_but_without_our_signatures() -> None:
    """An operator who asks for a fax needs the number; its error text and its URLs are another matter."""
    fax = {**FAX_ANSWER, "callbackUrl": CALLBACK, "contentUrl": [DOCUMENT], "errorMessage": f"busy: {NUMBER} {OPAQUE}"}
    async with client_of(AnyProvider(body=lambda: iter([json.dumps(fax).encode()]))) as client:
        read = await client.faxes.get("01FAX")
    assert read.to == NUMBER
    assert read.error_message == f"busy: +********123 {HIDDEN}"
    assert read.callback_url == CALLBACK.replace(SIGNATURE, HIDDEN)
    assert read.content_url == (DOCUMENT.partition("signature=")[0] + f"signature={HIDDEN}",)
