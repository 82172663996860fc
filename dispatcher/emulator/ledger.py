"""What the emulator accepted and did, for tests and tools: outside the provider's paths, without keys."""

from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dispatcher.emulator import checks
from dispatcher.emulator.callbacks import UNREACHABLE
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.faxes import EmulatedFax, status_at
from dispatcher.emulator.paging import query
from dispatcher.emulator.responses import ApiError, json_answer
from dispatcher.emulator.scenario_file import ScenarioError, outage_from, parse_scenario, scenario_from
from dispatcher.emulator.send_form import read_json
from dispatcher.emulator.urls import masked

#: Lines of the ledger that are written in one piece, so that a long one does not hold up other requests.
_CHUNK = 200


def entry(fax: EmulatedFax, now_ms: int) -> dict[str, Any]:
    """One line of the ledger. Times are milliseconds since 1970; not final is null."""
    error_type, error_code = fax.error[:2] if fax.error else (None, None)
    return {
        "id": fax.id,
        "direction": fax.direction,
        "to": fax.to,
        "from": fax.sender,
        "labels": fax.labels or {},
        "requestTime": fax.requested_ms,
        "createTime": fax.created_ms,
        "status": status_at(fax, now_ms),
        "errorType": error_type,
        "errorCode": error_code,
        "pages": fax.pages,
        "pagesSent": fax.pages_sent,
        "finalTime": fax.ends_ms,
        "requestFault": fax.request_fault,
        "callbackFault": fax.callback_fault.kind if fax.callback_fault else None,
        "callbacks": [_tried(fax, *tried) for tried in fax.callbacks],
    }


def _tried(fax: EmulatedFax, at_ms: int, status: int, event: str) -> dict[str, Any]:
    tried: dict[str, Any] = {"time": at_ms, "status": status, "event": event}
    if status == UNREACHABLE:
        tried["error"] = f"Could not connect to URL: {masked(fax.callback_url or '')}"
    return tried


def _lines(faxes: list[EmulatedFax], now_ms: int) -> Iterator[bytes]:
    for start in range(0, len(faxes), _CHUNK):
        yield b"".join(to_json(entry(fax, now_ms)) + b"\n" for fax in faxes[start : start + _CHUNK])


async def get_ledger(request: Request) -> Response:
    """All faxes as NDJSON, oldest first; `after=N` leaves out the first N."""
    emulator: Emulator = request.app.state.emulator
    after = query(request).get("after", "0")
    if not after.isdecimal():
        raise ApiError(400, "after must be a whole number")
    faxes = emulator.faxes.all[int(after) :]

    async def lines() -> Any:
        for piece in _lines(faxes, emulator.clock.now_ms()):
            yield piece

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def get_stats(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    now_ms = emulator.clock.now_ms()
    unfinished = sum(fax.ends_ms is None for fax in emulator.faxes.all)
    return json_answer({**emulator.stats.view(), "unfinished": unfinished, "now": now_ms})


async def post_scenario(request: Request) -> Response:
    """Replace the scenario: TOML text, or the same as JSON."""
    emulator: Emulator = request.app.state.emulator
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            scenario = scenario_from(await read_json(request))
        else:
            scenario = parse_scenario((await request.body()).decode())
    except (ScenarioError, UnicodeDecodeError) as error:
        raise ApiError(400, str(error)) from error
    emulator.use(scenario)
    return json_answer({"seed": emulator.scenario.seed})


async def post_outage(request: Request) -> Response:
    """Let the provider be away: `{"seconds": 10, "how": "503", "start": 0}`; seconds 0 ends all outages."""
    emulator: Emulator = request.app.state.emulator
    try:
        outage = outage_from(await read_json(request), "outage")
    except ScenarioError as error:
        raise ApiError(400, str(error)) from error
    if outage.seconds == 0:
        emulator.end_outages()
    else:
        emulator.add_outage(outage)
    return json_answer({"start": outage.start_s, "seconds": outage.seconds, "how": outage.how})


async def post_number(request: Request) -> Response:
    """Attach a number to a service, which the provider does elsewhere: `{"phoneNumber", "serviceId"}`."""
    emulator: Emulator = request.app.state.emulator
    fields = await read_json(request)
    wrong = checks.violations({"phoneNumber": fields.get("phoneNumber")}, {"phoneNumber": checks.e164})
    if wrong:
        raise ApiError(422, "The request has invalid parameters", wrong)
    service = emulator.services.for_send(fields.get("serviceId"))
    emulator.services.numbers[fields["phoneNumber"]] = service["id"]
    return json_answer({"phoneNumber": fields["phoneNumber"], "serviceId": service["id"]})


async def post_clock(request: Request) -> Response:
    """Move the clock forward: `{"advanceSeconds": 86400}`. Retention, windows and tokens go by it."""
    emulator: Emulator = request.app.state.emulator
    seconds = (await read_json(request)).get("advanceSeconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 1e9:
        raise ApiError(400, "advanceSeconds must be a number of seconds, 0 or more")
    emulator.clock.advance(seconds)
    return json_answer({"now": emulator.clock.now_ms()})
