"""The provider in memory: it answers requests of the real client with status, headers and body."""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from dispatcher.emulator.fax_errors import MESSAGES
from dispatcher.local.ledger import LedgerFax, ProviderOutcome
from dispatcher.sinch.body import TOO_LATE
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import NotSentError, ResponseLostError, UnreachableError
from dispatcher.sinch.http import Call
from dispatcher.sinch.responses import SinchResponse, error_from_response
from tests.simulation.clock import SimulatedClock
from tests.simulation.faults import Fault, FaultSchedule
from tests.simulation.process import Process

#: seconds until a failed callback is delivered again, as the provider documents them
REDELIVERIES_S = (300.0, 600.0, 1200.0, 1800.0, *[21_600.0] * 12)
_PAGES = 3
#: possible numbers of faxes that never end. Each is read back for days, which takes as long as ten other histories.
_NEVER_END = (*[0] * 40, 2)
_DOCUMENTED = sorted(MESSAGES)
_ODD_ENDS = (
    *(("LINE_ERROR", 89), ("FATAL_ERROR", 9), ("GENERAL_ERROR", 1), ("FAX_ERROR", 999), ("CALL_ERROR", 0)),
    *(("http", 301), ("NEW_ERROR", 7), ("", 0), ("FATAL_ERROR", 5)),
)
_REFUSALS = (405, 406, 409, 410, 412, 413, 414, 415, 418, 423, 425, 426, 428, 431, 451, 499)
_REDIRECTS = (300, 301, 302, 303, 304, 305, 307, 308)
_SERVER_ERRORS = (500, 501, 502, 503, 504, 507, 520, 599, 408)
_RETRY_AFTERS = ("1795000000", "86400", "1e300", "-5", "0", "soon", "Wed, 21 Oct 2099 07:28:00 GMT", "3600", "inf")
_UNREADABLE = (b"", b"<html>Welcome</html>", b"[]", b"{}", b'{"id": ""}', b'{"faxes": []}', b"\xff\xfe")
_ODD_TIMES = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday", "")


@dataclass(slots=True, kw_only=True)
class SimulatedFax:
    """A fax that the provider has accepted."""

    id: str
    to: str
    job: str
    attempt: str
    callback_url: str
    created_ms: int
    #: time from which lists contain the fax
    listed_ms: int
    #: whether the fax can be read by its id
    readable: bool = True
    never_ends: bool = False
    status: str = "IN_PROGRESS"
    error: tuple[str, int] | None = None
    pages_sent: int = 0
    ended_ms: int = 0
    odd: Mapping[str, Any] | None = None

    @property
    def resource(self) -> dict[str, Any]:
        """The fax as the API returns it."""
        resource = {
            "id": self.id,
            "to": self.to,
            "status": self.status,
            "labels": {"bulkfax-job": self.job, "bulkfax-attempt": self.attempt},
            "createTime": _iso(self.created_ms),
            "numberOfPages": _PAGES,
            "pagesSentSuccessfully": self.pages_sent,
        }
        if self.ended_ms:
            resource["completedTime"] = _iso(self.ended_ms)
        if self.error:
            resource |= {"errorType": self.error[0], "errorCode": self.error[1]}
        return resource | dict(self.odd or {})

    @property
    def outcome(self) -> ProviderOutcome:
        """The outcome for the comparison with the jobs."""
        if self.status == "COMPLETED":
            return ProviderOutcome.DELIVERED
        if self.status != "FAILURE":
            # the result of such a fax never becomes known
            return ProviderOutcome.UNCONFIRMED if self.never_ends else ProviderOutcome.UNFINISHED
        if self.pages_sent <= 0:
            return ProviderOutcome.FAILED
        return ProviderOutcome.UNCONFIRMED if self.pages_sent >= _PAGES else ProviderOutcome.PARTIAL


class Provider:
    """The provider. ``deliver`` is called with URL and body of each callback."""

    def __init__(self, clock: SimulatedClock, schedule: FaultSchedule, seed: int, log: Callable[..., None]) -> None:
        self.faxes: list[SimulatedFax] = []
        #: number of answers and faults by name
        self.counts: Counter[str] = Counter()
        #: time of the clock at which the last send left, whatever its result, in seconds
        self.last_send_s = clock.now_s
        #: number of sends that left
        self.posts = 0
        #: time of the clock until which the provider asked for a pause of up to an hour, in seconds
        self.pause_until_s = 0.0
        #: sends without a response yet, by process
        self.in_flight: Counter[str] = Counter()
        self.deliver: Callable[[str, bytes], None] = lambda url, body: None
        self._clock = clock
        self._schedule = schedule
        self._rng = Random(f"provider {seed}")
        self._log = log
        self._by_id: dict[str, SimulatedFax] = {}
        self._page = self._rng.choice((2, 5, 20)) if schedule.enabled(Fault.LIST_PAGED) else 1000
        self._says_total = not schedule.enabled(Fault.LIST_PAGED) or self._rng.random() < 0.7
        self._lag_s = self._rng.choice((5.0, 40.0, 200.0)) if schedule.enabled(Fault.LIST_LAGS) else 0.0
        self._long_ids = self._rng.random() < 0.3
        self._success = self._rng.choice((0.95, 0.8, 0.5))
        self._call_s = self._rng.choice((5.0, 20.0, 60.0))
        self._never_end = self._rng.choice(_NEVER_END)
        #: grid in seconds of the times at which calls end; calls that end together are settled together
        self._grid_s = self._rng.choice((0.1, 2.0, 5.0, 10.0))

    def client(self, process: Process) -> FaxClient:
        """Return the real client for a process, with this provider instead of the network."""
        client = FaxClient.__new__(FaxClient)
        client._http = client._reads = _Http(self, process)  # type: ignore[assignment]  # what is used of SinchHttp
        return client

    def ledger(self) -> list[LedgerFax]:
        """Return all accepted faxes."""
        return [
            LedgerFax(
                id=fax.id,
                to=fax.to,
                job=fax.job,
                outcome=fax.outcome,
                accepted_ms=fax.created_ms,
                ended_ms=fax.ended_ms or None,
            )
            for fax in self.faxes
        ]

    # sends

    async def send(
        self, process: Process, call: Call, total_s: float, may_send: Callable[[], bool] | None
    ) -> SinchResponse:
        """Answer a POST."""
        fault = self._schedule.draw_post_fault(self._clock.passed_s)
        if fault is Fault.NO_CONNECTION:
            self.last_send_s = self._clock.now_s
            self._count(fault)
            await asyncio.sleep(self._rng.choice((0.01, 1.0, 15.0)))
            process.check()
            raise UnreachableError("no connection")
        if may_send is not None and not may_send():
            raise NotSentError(TOO_LATE)
        self.last_send_s = self._clock.now_s
        self.posts += 1
        assert call.body is not None
        order = json.loads(b"".join(bytes(chunk) for chunk in call.body.chunks()))
        self.in_flight[process.name] += 1
        try:
            return await self._respond(process, order, fault, total_s)
        finally:
            self.in_flight[process.name] -= 1

    async def _respond(
        self, process: Process, order: dict[str, Any], fault: Fault | None, total_s: float
    ) -> SinchResponse:
        answer_s = self._answer_s(fault)
        answers: list[SinchResponse] = []
        # the request arrives even if the process is killed
        asyncio.get_running_loop().call_later(
            answer_s * 0.4, lambda: answers.append(self._answer(order, fault)), context=Context()
        )
        await asyncio.sleep(min(answer_s, total_s))
        process.check()
        if answer_s > total_s or fault is Fault.TIMED_OUT:
            self._count(Fault.TIMED_OUT)
            raise ResponseLostError(f"no answer within {total_s:g} s")
        self._count(fault or "sent")
        return answers[0]

    def _answer_s(self, fault: Fault | None) -> float:
        if fault is Fault.TIMED_OUT:
            return self._rng.choice((0.2, 5.0, 21.0, 45.0))
        if fault is Fault.SLOW_ANSWER:
            return self._rng.uniform(2.0, 19.0)
        return self._seconds_on_grid(self._rng.uniform(0.05, 0.6), 0.1)

    def _seconds_on_grid(self, seconds: float, grid_s: float) -> float:
        """Return the seconds from now to the next time on a grid that is at least ``seconds`` away."""
        now_s = self._clock.now_s
        return math.ceil((now_s + seconds) / grid_s) * grid_s - now_s

    def _answer(self, order: dict[str, Any], fault: Fault | None) -> SinchResponse:
        accepted = fault in (None, Fault.SERVER_ERROR_TAKEN, Fault.SLOW_ANSWER)
        if fault in (Fault.TIMED_OUT, Fault.UNREADABLE):
            accepted = self._rng.random() < 0.5
        fax = self._accept(order) if accepted else None
        answer = self._refusal(fault) if fault not in (None, Fault.SLOW_ANSWER) else None
        self._log("provider", order["labels"]["bulkfax-job"], fault or "200", fax.id if fax else "not accepted")
        if answer is not None:
            return answer
        assert fax is not None
        return SinchResponse(status=200, body=json.dumps(fax.resource).encode())

    def _refusal(self, fault: Fault | None) -> SinchResponse:
        pick = self._rng.choice
        match fault:
            case Fault.SERVER_ERROR | Fault.SERVER_ERROR_TAKEN:
                return SinchResponse(status=pick(_SERVER_ERRORS))
            case Fault.REDIRECTED:
                return SinchResponse(status=pick(_REDIRECTS), headers={"location": "https://login.example.com/"})
            case Fault.UNREADABLE:
                return SinchResponse(status=pick((200, 201, 204)), body=pick(_UNREADABLE))
            case Fault.BAD_REQUEST:
                return _refused(pick((400, 422)), pick(("", "to", "from", "contentUrl", "headerText")))
            case Fault.UNKNOWN_REFUSAL:
                return _refused(pick(_REFUSALS))
            case Fault.UNAUTHORIZED:
                return _refused(401)
            case Fault.NO_FUNDS:
                return _refused(402)
            case Fault.FORBIDDEN:
                return _refused(403)
            case Fault.NOT_FOUND:
                return _refused(404)
            case Fault.RATE_LIMITED:
                self._request_pause(60.0)
                return SinchResponse(status=429, headers=pick(({}, {"retry-after": "2"})))
            case Fault.RETRY_AFTER:
                self._request_pause(3600.0)
                return SinchResponse(status=pick((429, 503)), headers={"retry-after": pick(_RETRY_AFTERS)})
        return SinchResponse(status=200)

    def _request_pause(self, seconds: float) -> None:
        """Note that the provider asked for a pause. The dispatcher limits pauses, so ``seconds`` is the longest."""
        self.pause_until_s = max(self.pause_until_s, self._clock.now_s + seconds)

    def _accept(self, order: dict[str, Any]) -> SimulatedFax:
        number, rng = len(self.faxes), self._rng
        lag_s = rng.uniform(0.0, self._lag_s) if self._lag_s else 1.0
        labels = order["labels"]
        fax = SimulatedFax(
            id=f"{number:08x}-0000-4000-8000-000000000000" if self._long_ids else f"F{number:06}",
            to=order["to"],
            job=labels["bulkfax-job"],
            attempt=labels["bulkfax-attempt"],
            callback_url=order.get("callbackUrl", ""),
            created_ms=self._clock.true_ms,
            listed_ms=self._clock.true_ms + round(lag_s * 1000),
            readable=not self._schedule.occurs(Fault.READ_MISSING),
        )
        if self._schedule.occurs(Fault.ODD_FIELDS):
            self._count(Fault.ODD_FIELDS)
            fax.odd = rng.choice(({"createTime": rng.choice(_ODD_TIMES)}, {"errorMessage": "half \ud83d"}))
        self.faxes.append(fax)
        self._by_id[fax.id] = fax
        self._schedule_end(fax)
        return fax

    def _schedule_end(self, fax: SimulatedFax) -> None:
        schedule, rng = self._schedule, self._rng
        if self.counts[Fault.NEVER_ENDS] < self._never_end and schedule.occurs(Fault.NEVER_ENDS):
            self._count(Fault.NEVER_ENDS)
            fax.never_ends = True
            return
        call_s = self._seconds_on_grid(rng.uniform(0.3, 1.7) * self._call_s, self._grid_s)
        if schedule.occurs(Fault.CALLBACK_EARLY):
            self._count(Fault.CALLBACK_EARLY)
            call_s = 0.001
        self._later(call_s, lambda: self._end(fax))

    def _end(self, fax: SimulatedFax) -> None:
        schedule, rng = self._schedule, self._rng
        fax.ended_ms = self._clock.true_ms
        fax.status, fax.pages_sent = "COMPLETED", _PAGES
        error = None
        if schedule.enabled(Fault.FAX_FAILED) and rng.random() > self._success:
            self._count(Fault.FAX_FAILED)
            error = rng.choice(_DOCUMENTED)
        elif schedule.occurs(Fault.FAX_FAILED_ODDLY):
            self._count(Fault.FAX_FAILED_ODDLY)
            error = rng.choice(_ODD_ENDS)
        if error:
            fax.status, fax.error, fax.pages_sent = "FAILURE", error, 0
            if schedule.occurs(Fault.PAGES_MISSING):
                self._count(Fault.PAGES_MISSING)
                fax.pages_sent = rng.randint(1, _PAGES)
        else:
            self._count("delivered")
        self._log("provider", fax.job, fax.status, fax.error or "", fax.id)
        if fax.callback_url:
            self._send_callbacks(fax)

    # callbacks

    def _send_callbacks(self, fax: SimulatedFax) -> None:
        schedule = self._schedule
        if schedule.occurs(Fault.CALLBACK_WRONG):
            self._count(Fault.CALLBACK_WRONG)
            self._schedule_callback(fax, fax.resource | self._false_fields(), 0.2)
        if schedule.occurs(Fault.CALLBACK_LOST):
            self._count(Fault.CALLBACK_LOST)
            return
        late = schedule.occurs(Fault.CALLBACK_LATE)
        if late:
            self._count(Fault.CALLBACK_LATE)
        self._schedule_callback(fax, fax.resource, self._rng.choice((60.0, 1200.0, 7200.0)) if late else 0.1)
        if schedule.occurs(Fault.CALLBACK_DOUBLED):
            self._count(Fault.CALLBACK_DOUBLED)
            self._schedule_callback(fax, fax.resource, self._rng.choice((0.1, 5.0, 4000.0)))

    def _false_fields(self) -> dict[str, Any]:
        return self._rng.choice(
            (
                {"status": "COMPLETED", "id": "stranger"},
                {"status": "FAILURE", "errorType": "CALL_ERROR", "errorCode": 34, "id": "stranger"},
                {"status": "COMPLETED", "to": "+12015550199"},
            )
        )

    def _schedule_callback(self, fax: SimulatedFax, resource: dict[str, Any], delay_s: float) -> None:
        body = json.dumps({"event": "FAX_COMPLETED", "fax": resource}).encode()
        self._later(delay_s, lambda: self.deliver(fax.callback_url, body))

    # reads

    async def read(self, process: Process, call: Call, total_s: float) -> SinchResponse:
        """Answer a GET of a fax or of a list."""
        schedule, rng = self._schedule, self._rng
        read_s = rng.uniform(0.05, 0.4)
        if schedule.occurs(Fault.READ_SLOW):
            self._count(Fault.READ_SLOW)
            read_s = rng.uniform(2.0, 30.0)
        await asyncio.sleep(min(read_s, total_s))
        process.check()
        if read_s > total_s:
            raise ResponseLostError(f"no answer within {total_s:g} s")
        if schedule.occurs(Fault.READ_FAILS):
            self._count(Fault.READ_FAILS)
            answer = rng.choice(
                (
                    SinchResponse(status=500),
                    SinchResponse(status=503),
                    SinchResponse(status=302),
                    SinchResponse(status=200, body=b"<html>"),
                    SinchResponse(status=429),
                    SinchResponse(status=401),
                    SinchResponse(status=403),
                )
            )
            if answer.status == 429:
                self._request_pause(60.0)
            return answer
        self._count("read")
        return self._read_list(call) if call.query else self._read_fax(call.path.rpartition("/")[2])

    def _read_fax(self, fax_id: str) -> SinchResponse:
        fax = self._by_id.get(fax_id)
        if fax is None or not (fax.readable or self._schedule.over):
            self._count(Fault.READ_MISSING)
            return _refused(404)
        return SinchResponse(status=200, body=json.dumps(fax.resource).encode())

    def _read_list(self, call: Call) -> SinchResponse:
        query = dict(call.query)
        low, high = _ms(query.get("createTime>"), 0), _ms(query.get("createTime<"), 1 << 60)
        now_ms, to = self._clock.true_ms, query.get("to", "")
        matches = [
            fax
            for fax in self.faxes
            if fax.to.startswith(to) and low <= fax.created_ms <= high and fax.listed_ms <= now_ms
        ]
        size, page = min(self._page, int(query["pageSize"])), int(query["page"])
        faxes = matches[(page - 1) * size : page * size]
        body: dict[str, Any] = {"faxes": [fax.resource for fax in faxes], "page": page}
        if self._says_total:
            body["totalPages"] = -(-len(matches) // size)
        return SinchResponse(status=200, body=json.dumps(body).encode())

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, call, context=Context())

    def _count(self, name: str) -> None:
        self.counts[str(name)] += 1


class _Http:
    """Takes the place of the HTTP layer of the client."""

    def __init__(self, provider: Provider, process: Process) -> None:
        self._provider = provider
        self._process = process

    async def exchange(
        self, call: Call, *, total_s: float, may_send: Callable[[], bool] | None = None, **_: Any
    ) -> SinchResponse:
        self._process.check()
        if call.method == "POST":
            answer = await self._provider.send(self._process, call, total_s, may_send)
        else:
            answer = await self._provider.read(self._process, call, total_s)
        self._process.check()
        error = error_from_response(answer)
        if error is not None:
            raise error
        return answer

    async def prepare(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def _refused(status: int, field: str = "") -> SinchResponse:
    details = [{"fieldViolations": [{"field": field, "description": "is wrong"}]}] if field else []
    return SinchResponse(status=status, body=json.dumps({"code": status, "message": "no", "details": details}).encode())


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ms(text: str | None, default: int) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000) if text else default
