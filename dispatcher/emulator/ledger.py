"""Control paths for tests and tools: the ledger of all faxes, statistics, scenario, outages, numbers and the clock.

They are outside of the provider's API and need no credentials.
"""

from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dispatcher.emulator import checks
from dispatcher.emulator.callbacks import UNREACHABLE
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.faxes import EmulatedFax, status_at
from dispatcher.emulator.paging import query_parameters
from dispatcher.emulator.responses import ApiError, json_response
from dispatcher.emulator.scenario_file import ScenarioError, outage_from, parse_scenario, scenario_from
from dispatcher.emulator.send_form import read_json
from dispatcher.emulator.urls import redact_credentials

#: lines of the ledger per chunk of the response; between chunks, other requests are processed
_CHUNK = 200


def ledger_entry(fax: EmulatedFax, now_ms: int) -> dict[str, Any]:
    """Return one line of the ledger.

    Times are milliseconds since 1970; ``finalTime`` is null until the fax is final.
    """
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
        "callbacks": [_callback_delivery(fax, *delivery) for delivery in fax.callbacks],
    }


def _callback_delivery(fax: EmulatedFax, time_ms: int, status: int, event: str) -> dict[str, Any]:
    delivery: dict[str, Any] = {"time": time_ms, "status": status, "event": event}
    if status == UNREACHABLE:
        delivery["error"] = f"Could not connect to URL: {redact_credentials(fax.callback_url or '')}"
    return delivery


def _line_chunks(faxes: list[EmulatedFax], now_ms: int) -> Iterator[bytes]:
    for start in range(0, len(faxes), _CHUNK):
        yield b"".join(to_json(ledger_entry(fax, now_ms)) + b"\n" for fax in faxes[start : start + _CHUNK])


async def get_ledger(request: Request) -> Response:
    """``GET /emulator/ledger``: all faxes as NDJSON, oldest first.

    ``after=N`` skips the first N.
    """
    emulator: Emulator = request.app.state.emulator
    after = query_parameters(request).get("after", "0")
    if not after.isdecimal():
        raise ApiError(400, "after must be a whole number")
    faxes = emulator.faxes.all[int(after) :]

    async def lines() -> Any:
        for chunk in _line_chunks(faxes, emulator.clock.now_ms()):
            yield chunk

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def get_stats(request: Request) -> Response:
    """``GET /emulator/stats``: the counters, the number of unfinished faxes and the time."""
    emulator: Emulator = request.app.state.emulator
    now_ms = emulator.clock.now_ms()
    unfinished = sum(fax.ends_ms is None for fax in emulator.faxes.all)
    return json_response({**emulator.stats.view(), "unfinished": unfinished, "now": now_ms})


async def post_scenario(request: Request) -> Response:
    """``POST /emulator/scenario``: replace the scenario.

    The body is TOML, or the same structure as JSON.
    """
    emulator: Emulator = request.app.state.emulator
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            scenario = scenario_from(await read_json(request))
        else:
            scenario = parse_scenario((await request.body()).decode())
    except (ScenarioError, UnicodeDecodeError) as error:
        raise ApiError(400, str(error)) from error
    emulator.load_scenario(scenario)
    return json_response({"seed": emulator.scenario.seed})


async def post_outage(request: Request) -> Response:
    """``POST /emulator/outage``: start an outage.

    The body is ``{"seconds": 10, "how": "503", "start": 0}``. 0 seconds ends all outages.
    """
    emulator: Emulator = request.app.state.emulator
    try:
        outage = outage_from(await read_json(request), "outage")
    except ScenarioError as error:
        raise ApiError(400, str(error)) from error
    if outage.seconds == 0:
        emulator.end_outages()
    else:
        emulator.add_outage(outage)
    return json_response({"start": outage.start_s, "seconds": outage.seconds, "how": outage.how})


async def post_number(request: Request) -> Response:
    """``POST /emulator/numbers``: assign a number to a service.

    The body is ``{"phoneNumber", "serviceId"}``.
    """
    emulator: Emulator = request.app.state.emulator
    fields = await read_json(request)
    violations = checks.find_violations({"phoneNumber": fields.get("phoneNumber")}, {"phoneNumber": checks.e164})
    if violations:
        raise ApiError(422, "The request has invalid parameters", violations)
    service = emulator.services.for_send(fields.get("serviceId"))
    emulator.services.numbers[fields["phoneNumber"]] = service["id"]
    return json_response({"phoneNumber": fields["phoneNumber"], "serviceId": service["id"]})


async def post_clock(request: Request) -> Response:
    """``POST /emulator/clock``: move the clock of retention, list windows and tokens.

    The body is ``{"advanceSeconds": 86400}``.
    """
    emulator: Emulator = request.app.state.emulator
    seconds = (await read_json(request)).get("advanceSeconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 1e9:
        raise ApiError(400, "advanceSeconds must be a number of seconds, 0 or more")
    emulator.clock.advance(seconds)
    return json_response({"now": emulator.clock.now_ms()})
