"""Times from outside that cannot be: in requests, on the command line, from the provider, and in what is stored."""

from datetime import datetime

import httpx
import pytest
import typer

from dispatcher.api.convert import _time as shown_time
from dispatcher.cli.times import option_ms
from dispatcher.core.policy.document import PolicyError
from dispatcher.core.policy.policy import policy_from
from dispatcher.core.retry.waits import capped_retry_after_s
from dispatcher.core.times import END_MS, FIRST_MS, to_ms
from dispatcher.service.times import rfc3339
from dispatcher.sinch.coerce import time_ms
from dispatcher.sinch.responses import retry_after_s
from tests.service.samples import URL

pytestmark = pytest.mark.anyio

NEW = {"name": "n", "content_urls": [URL]}

#: times that no request may store
ATTACKS: dict[str, object] = {
    "the year 10000 in UTC": "9999-12-31T23:59:59-23:59",
    "the year 0 in UTC": "0001-01-01T00:00:00+23:59",
    "the last time of all": "9999-12-31T23:59:59.999999Z",
    "the first time of all": "0001-01-01T00:00:00Z",
    "before 2000": "1999-12-31T23:59:59.999Z",
    "before 2000 in UTC only": "2000-01-01T00:00:00+00:01",
    "2100": "2100-01-01T00:00:00Z",
    "2100 in UTC only": "2099-12-31T23:59:59-00:01",
    "rounded up to 2100": "2099-12-31T23:59:59.999999Z",
    "a leap second": "2016-12-31T23:59:60Z",
    "an offset of more than a day": "2099-01-01T00:00:00+99:99",
    "an offset of a whole day": "2099-01-01T00:00:00+24:00",
    "a year of five digits": "10000-01-01T00:00:00Z",
    "a negative year": "-2099-01-01T00:00:00Z",
    "no offset": "2099-01-01T00:00:00",
    "a date": "2099-01-01",
    "a second that is no number": "2099-01-01T00:00:0aZ",
    "a number of hundreds of digits": 10**300,
    "a negative number": -1,
    "a number past all times": 1e40,
    "infinity in words": "Infinity",
    "no number in words": "NaN",
    "a text of a hundred thousand digits": "9" * 100_000,
    "an empty text": "",
    "a list": [2099, 1, 1],
}
#: such times in the syntax of JSON's readers, which is wider than JSON
NO_JSON = ("1e400", "NaN", "Infinity", "-Infinity", "9" * 5_000)


@pytest.mark.parametrize("field", ["start_at", "deadline"])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_batch_with_an_impossible_time_is_refused_and_never_stored(
    api: httpx.AsyncClient, attack: str, field: str
) -> None:
    answer = await api.post("/v1/batches", json={**NEW, field: ATTACKS[attack]})
    assert answer.status_code == 422, answer.text
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert (await api.get("/v1/batches")).json()["batches"] == []


async def test_a_fax_with_an_impossible_deadline_is_refused_and_never_stored(api: httpx.AsyncClient) -> None:
    for attack in ATTACKS.values():
        body = {"to": "+12025550100", "content_urls": [URL], "deadline": attack}
        assert (await api.post("/v1/faxes", json=body)).status_code == 422, attack
    assert (await api.get("/v1/batches")).json()["batches"] == []


@pytest.mark.parametrize("number", NO_JSON, ids=lambda number: number[:9])
async def test_a_time_that_is_no_json_is_refused_and_never_stored(api: httpx.AsyncClient, number: str) -> None:
    body = f'{{"name": "n", "content_urls": ["{URL}"], "deadline": {number}}}'
    answer = await api.post("/v1/batches", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert (await api.get("/v1/batches")).json()["batches"] == []


async def test_the_refusal_of_a_time_says_what_to_give(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/batches", json={**NEW, "deadline": "2100-01-01T00:00:00Z"})
    (fault,) = answer.json()["errors"]
    assert fault["message"] == "give a time from 2000-01-01 until before 2100-01-01 (UTC)"


async def test_the_last_time_in_range_is_taken_and_shown_with_every_offset(api: httpx.AsyncClient) -> None:
    for text in ("2099-12-31T23:59:59.999Z", "2099-12-31T00:00:59.999-23:59", "2100-01-01T23:58:59.999+23:59"):
        answer = await api.post("/v1/batches", json={**NEW, "deadline": text})
        assert answer.status_code == 201, answer.text
        assert answer.json()["deadline"] == "2099-12-31T23:59:59.999Z"
    assert (await api.get("/v1/batches")).status_code == 200


@pytest.mark.parametrize("path", ["/v1/jobs/a." + "9" * 5_000, "/v1/jobs/a." + "9" * 11])
async def test_a_job_whose_row_is_endless_is_not_there(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path)
    assert answer.status_code == 404
    assert len(answer.text) < 500


@pytest.mark.parametrize("expires", ["9" * 5_000, "1e40", "inf", "nan", "-1", str(END_MS)])
async def test_the_address_of_a_document_that_never_expires_is_refused(api: httpx.AsyncClient, expires: str) -> None:
    answer = await api.get(f"/documents/{'0' * 64}", params={"expires": expires, "signature": "0" * 64})
    assert answer.status_code in (403, 422)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_time_of_the_provider_is_in_range_or_absent(attack: str) -> None:
    assert time_ms(ATTACKS[attack]) == 0 or FIRST_MS <= time_ms(ATTACKS[attack]) < END_MS


@pytest.mark.parametrize(
    "wait",
    [
        *("1e40", "1e400", "-1", "-1e40", "nan", "inf", "-inf", "", "soon", "9" * 5_000),
        *("Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359"),
        *("Fri, 99 Dec 99999 99:99:99 +9999", "99999999999", "253402387139"),
    ],
    ids=lambda wait: wait[:30],
)
def test_no_wait_of_the_provider_lasts_longer_than_an_hour(wait: str) -> None:
    named_s = capped_retry_after_s(retry_after_s(wait, 1_795_000_000.0))
    assert named_s is None or 0 <= named_s <= 3_600


@pytest.mark.parametrize("time", [datetime.min, datetime.max, datetime(1999, 12, 30), datetime(2100, 1, 2)], ids=str)
def test_the_command_line_refuses_a_time_out_of_range(time: datetime) -> None:
    with pytest.raises(typer.BadParameter, match="2000-01-01"):
        option_ms(time, "--start-at")
    with pytest.raises(ValueError, match="2000-01-01"):
        to_ms(time)


@pytest.mark.parametrize(
    "seconds", [1e40, float("inf"), float("nan"), -1.0, 10**400, "9" * 400 + "d"], ids=lambda s: str(s)[:9]
)
def test_the_policy_refuses_an_endless_duration(seconds: object) -> None:
    with pytest.raises(PolicyError):
        policy_from({"times": {"lease": seconds}})


@pytest.mark.parametrize("stored", [-1, 1, FIRST_MS - 1, END_MS, 253_402_387_139_000, 10**30, -(10**30)])
def test_a_stored_time_that_can_be_none_is_shown_as_none(stored: int) -> None:
    assert rfc3339(stored) == ""
    assert shown_time(stored) is None
