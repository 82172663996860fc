"""The provider in memory: it answers the real client's requests with status, headers and body."""

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
from tests.simulation.faults import Fault, Weather
from tests.simulation.process import Process

#: seconds after a failed delivery of a callback, as the provider's documents say
REDELIVERIES_S = (300.0, 600.0, 1200.0, 1800.0, *[21_600.0] * 12)
_PAGES = 3
#: faxes of one history that never end. Each is read back for days, which costs as much as ten other histories.
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
class Fax:
    """One fax that the provider took."""

    id: str
    to: str
    job: str
    attempt: str
    callback_url: str
    created_ms: int
    #: when lists show it
    listed_ms: int
    #: whether it can be read by its id
    readable: bool = True
    never_ends: bool = False
    status: str = "IN_PROGRESS"
    error: tuple[str, int] | None = None
    pages_sent: int = 0
    ended_ms: int = 0
    odd: Mapping[str, Any] | None = None

    @property
    def resource(self) -> dict[str, Any]:
        shown = {
            "id": self.id,
            "to": self.to,
            "status": self.status,
            "labels": {"bulkfax-job": self.job, "bulkfax-attempt": self.attempt},
            "createTime": _iso(self.created_ms),
            "numberOfPages": _PAGES,
            "pagesSentSuccessfully": self.pages_sent,
        }
        if self.ended_ms:
            shown["completedTime"] = _iso(self.ended_ms)
        if self.error:
            shown |= {"errorType": self.error[0], "errorCode": self.error[1]}
        return shown | dict(self.odd or {})

    @property
    def outcome(self) -> ProviderOutcome:
        if self.status == "COMPLETED":
            return ProviderOutcome.DELIVERED
        if self.status != "FAILURE":
            # nobody will ever know
            return ProviderOutcome.UNCONFIRMED if self.never_ends else ProviderOutcome.UNFINISHED
        if self.pages_sent <= 0:
            return ProviderOutcome.FAILED
        return ProviderOutcome.UNCONFIRMED if self.pages_sent >= _PAGES else ProviderOutcome.PARTIAL


class Provider:
    """``post`` is called with what has to be told to the producer: address and body of a callback."""

    def __init__(self, clock: SimulatedClock, weather: Weather, seed: int, log: Callable[..., None]) -> None:
        self.faxes: list[Fax] = []
        #: answers and faults, by their names
        self.counts: Counter[str] = Counter()
        #: when a request to send left last, whatever became of it; seconds of the clock
        self.left_s = clock.now_s
        #: requests to send that left
        self.posts = 0
        #: until when the provider asked for a pause, seconds of the clock; an hour at most counts
        self.asked_until_s = 0.0
        #: sends that no answer came to yet, by process
        self.under_way: Counter[str] = Counter()
        self.deliver: Callable[[str, bytes], None] = lambda url, body: None
        self._clock = clock
        self._weather = weather
        self._chance = Random(f"provider {seed}")
        self._log = log
        self._by_id: dict[str, Fax] = {}
        self._page = self._chance.choice((2, 5, 20)) if weather.has(Fault.LIST_PAGED) else 1000
        self._says_total = not weather.has(Fault.LIST_PAGED) or self._chance.random() < 0.7
        self._lag_s = self._chance.choice((5.0, 40.0, 200.0)) if weather.has(Fault.LIST_LAGS) else 0.0
        self._long_ids = self._chance.random() < 0.3
        self._success = self._chance.choice((0.95, 0.8, 0.5))
        self._call_s = self._chance.choice((5.0, 20.0, 60.0))
        self._never_end = self._chance.choice(_NEVER_END)
        #: calls end, and answers come, at times so far apart: what comes together is settled together
        self._apart_s = self._chance.choice((0.1, 2.0, 5.0, 10.0))

    def client(self, process: Process) -> FaxClient:
        """The real client of a process, above this instead of the network."""
        made = FaxClient.__new__(FaxClient)
        made._http = made._reads = _Http(self, process)  # type: ignore[assignment]  # the part of SinchHttp that is asked for
        return made

    def ledger(self) -> list[LedgerFax]:
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
        fault = self._weather.of_post(self._clock.passed_s)
        if fault is Fault.NO_CONNECTION:
            self.left_s = self._clock.now_s
            self._count(fault)
            await asyncio.sleep(self._chance.choice((0.01, 1.0, 15.0)))
            process.check()
            raise UnreachableError("no connection")
        if may_send is not None and not may_send():
            raise NotSentError(TOO_LATE)
        self.left_s = self._clock.now_s
        self.posts += 1
        assert call.body is not None
        order = json.loads(b"".join(bytes(chunk) for chunk in call.body.chunks()))
        self.under_way[process.name] += 1
        try:
            return await self._answered(process, order, fault, total_s)
        finally:
            self.under_way[process.name] -= 1

    async def _answered(
        self, process: Process, order: dict[str, Any], fault: Fault | None, total_s: float
    ) -> SinchResponse:
        answer_s = self._answer_s(fault)
        answers: list[SinchResponse] = []
        # the request is on its way, whatever becomes of the process
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
            return self._chance.choice((0.2, 5.0, 21.0, 45.0))
        if fault is Fault.SLOW_ANSWER:
            return self._chance.uniform(2.0, 19.0)
        return self._together_s(self._chance.uniform(0.05, 0.6), 0.1)

    def _together_s(self, seconds: float, apart_s: float) -> float:
        """So many seconds from now or a little later, at a time that others have too."""
        now_s = self._clock.now_s
        return math.ceil((now_s + seconds) / apart_s) * apart_s - now_s

    def _answer(self, order: dict[str, Any], fault: Fault | None) -> SinchResponse:
        taken = fault in (None, Fault.SERVER_ERROR_TAKEN, Fault.SLOW_ANSWER)
        if fault in (Fault.TIMED_OUT, Fault.UNREADABLE):
            taken = self._chance.random() < 0.5
        fax = self._take(order) if taken else None
        answer = self._refusal(fault) if fault not in (None, Fault.SLOW_ANSWER) else None
        self._log("provider", order["labels"]["bulkfax-job"], fault or "200", fax.id if fax else "not taken")
        if answer is not None:
            return answer
        assert fax is not None
        return SinchResponse(status=200, body=json.dumps(fax.resource).encode())

    def _refusal(self, fault: Fault | None) -> SinchResponse:
        pick = self._chance.choice
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
                self._asks_for_pause(60.0)
                return SinchResponse(status=429, headers=pick(({}, {"retry-after": "2"})))
            case Fault.RETRY_AFTER:
                self._asks_for_pause(3600.0)
                return SinchResponse(status=pick((429, 503)), headers={"retry-after": pick(_RETRY_AFTERS)})
        return SinchResponse(status=200)

    def _asks_for_pause(self, seconds: float) -> None:
        """A wait that is not named, or named without sense, is ours to choose: a minute and an hour at most."""
        self.asked_until_s = max(self.asked_until_s, self._clock.now_s + seconds)

    def _take(self, order: dict[str, Any]) -> Fax:
        number, chance = len(self.faxes), self._chance
        lag_s = chance.uniform(0.0, self._lag_s) if self._lag_s else 1.0
        labels = order["labels"]
        fax = Fax(
            id=f"{number:08x}-0000-4000-8000-000000000000" if self._long_ids else f"F{number:06}",
            to=order["to"],
            job=labels["bulkfax-job"],
            attempt=labels["bulkfax-attempt"],
            callback_url=order.get("callbackUrl", ""),
            created_ms=self._clock.true_ms,
            listed_ms=self._clock.true_ms + round(lag_s * 1000),
            readable=not self._weather.strikes(Fault.READ_MISSING),
        )
        if self._weather.strikes(Fault.ODD_FIELDS):
            self._count(Fault.ODD_FIELDS)
            fax.odd = chance.choice(({"createTime": chance.choice(_ODD_TIMES)}, {"errorMessage": "half \ud83d"}))
        self.faxes.append(fax)
        self._by_id[fax.id] = fax
        self._let_it_end(fax)
        return fax

    def _let_it_end(self, fax: Fax) -> None:
        weather, chance = self._weather, self._chance
        if self.counts[Fault.NEVER_ENDS] < self._never_end and weather.strikes(Fault.NEVER_ENDS):
            self._count(Fault.NEVER_ENDS)
            fax.never_ends = True
            return
        call_s = self._together_s(chance.uniform(0.3, 1.7) * self._call_s, self._apart_s)
        if weather.strikes(Fault.CALLBACK_EARLY):
            self._count(Fault.CALLBACK_EARLY)
            call_s = 0.001
        self._later(call_s, lambda: self._end(fax))

    def _end(self, fax: Fax) -> None:
        weather, chance = self._weather, self._chance
        fax.ended_ms = self._clock.true_ms
        fax.status, fax.pages_sent = "COMPLETED", _PAGES
        error = None
        if weather.has(Fault.FAX_FAILED) and chance.random() > self._success:
            self._count(Fault.FAX_FAILED)
            error = chance.choice(_DOCUMENTED)
        elif weather.strikes(Fault.FAX_FAILED_ODDLY):
            self._count(Fault.FAX_FAILED_ODDLY)
            error = chance.choice(_ODD_ENDS)
        if error:
            fax.status, fax.error, fax.pages_sent = "FAILURE", error, 0
            if weather.strikes(Fault.PAGES_MISSING):
                self._count(Fault.PAGES_MISSING)
                fax.pages_sent = chance.randint(1, _PAGES)
        else:
            self._count("delivered")
        self._log("provider", fax.job, fax.status, fax.error or "", fax.id)
        if fax.callback_url:
            self._call_back(fax)

    # callbacks

    def _call_back(self, fax: Fax) -> None:
        weather = self._weather
        if weather.strikes(Fault.CALLBACK_WRONG):
            self._count(Fault.CALLBACK_WRONG)
            self._tell(fax, fax.resource | self._falsehood(), 0.2)
        if weather.strikes(Fault.CALLBACK_LOST):
            self._count(Fault.CALLBACK_LOST)
            return
        late = weather.strikes(Fault.CALLBACK_LATE)
        if late:
            self._count(Fault.CALLBACK_LATE)
        self._tell(fax, fax.resource, self._chance.choice((60.0, 1200.0, 7200.0)) if late else 0.1)
        if weather.strikes(Fault.CALLBACK_DOUBLED):
            self._count(Fault.CALLBACK_DOUBLED)
            self._tell(fax, fax.resource, self._chance.choice((0.1, 5.0, 4000.0)))

    def _falsehood(self) -> dict[str, Any]:
        return self._chance.choice(
            (
                {"status": "COMPLETED", "id": "stranger"},
                {"status": "FAILURE", "errorType": "CALL_ERROR", "errorCode": 34, "id": "stranger"},
                {"status": "COMPLETED", "to": "+12015550199"},
            )
        )

    def _tell(self, fax: Fax, resource: dict[str, Any], in_s: float) -> None:
        body = json.dumps({"event": "FAX_COMPLETED", "fax": resource}).encode()
        self._later(in_s, lambda: self.deliver(fax.callback_url, body))

    # reads

    async def read(self, process: Process, call: Call, total_s: float) -> SinchResponse:
        weather, chance = self._weather, self._chance
        read_s = chance.uniform(0.05, 0.4)
        if weather.strikes(Fault.READ_SLOW):
            self._count(Fault.READ_SLOW)
            read_s = chance.uniform(2.0, 30.0)
        await asyncio.sleep(min(read_s, total_s))
        process.check()
        if read_s > total_s:
            raise ResponseLostError(f"no answer within {total_s:g} s")
        if weather.strikes(Fault.READ_FAILS):
            self._count(Fault.READ_FAILS)
            answer = chance.choice(
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
                self._asks_for_pause(60.0)
            return answer
        self._count("read")
        return self._page_of(call) if call.query else self._one(call.path.rpartition("/")[2])

    def _one(self, fax_id: str) -> SinchResponse:
        fax = self._by_id.get(fax_id)
        if fax is None or not (fax.readable or self._weather.over):
            self._count(Fault.READ_MISSING)
            return _refused(404)
        return SinchResponse(status=200, body=json.dumps(fax.resource).encode())

    def _page_of(self, call: Call) -> SinchResponse:
        query = dict(call.query)
        low, high = _ms(query.get("createTime>"), 0), _ms(query.get("createTime<"), 1 << 60)
        now_ms, to = self._clock.true_ms, query.get("to", "")
        found = [
            fax
            for fax in self.faxes
            if fax.to.startswith(to) and low <= fax.created_ms <= high and fax.listed_ms <= now_ms
        ]
        size, page = min(self._page, int(query["pageSize"])), int(query["page"])
        part = found[(page - 1) * size : page * size]
        told: dict[str, Any] = {"faxes": [fax.resource for fax in part], "page": page}
        if self._says_total:
            told["totalPages"] = -(-len(found) // size)
        return SinchResponse(status=200, body=json.dumps(told).encode())

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, call, context=Context())

    def _count(self, name: str) -> None:
        self.counts[str(name)] += 1


class _Http:
    """What the client calls instead of the network."""

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


def _ms(text: str | None, otherwise: int) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000) if text else otherwise
