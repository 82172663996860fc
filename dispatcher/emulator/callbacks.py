"""Webhooks: their two content types, delivery, redelivery, and the faults of a scenario."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from dispatcher.emulator.clock import Clock, rfc3339
from dispatcher.emulator.faxes import EmulatedFax, view
from dispatcher.emulator.outbound import Outbound, UnreachableError
from dispatcher.emulator.responses import encode_json
from dispatcher.emulator.stats import Stats

#: Seconds between tries: 5, 10, 20, 30 minutes, then 12 times 6 hours.
REDELIVERY_S = (300, 600, 1200, 1800, *(21_600,) * 12)
#: What the provider records when it could not reach the URL; no HTTP status.
UNREACHABLE = 800
#: Name and shape of this event are not public; the name is that of the product before, in capitals.
PAGE_EVENT = "TRANSMITTING_PAGE"
_BOUNDARY = "----fax-emulator-9f2c41d7a6"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One event for one receiver; what is sent is built afresh at each try."""

    event: str
    event_time: str
    fax: EmulatedFax
    url: str
    content_type: str
    with_file: bool = True


class Callbacks:
    """Delivers notices. Redelivery times are divided by the speed."""

    def __init__(self, *, clock: Clock, outbound: Outbound, stats: Stats, speed: float, timeout_s: float) -> None:
        self._clock = clock
        self._outbound = outbound
        self._stats = stats
        self._speed = speed
        self._timeout_s = timeout_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[Notice] = []

    def completed(self, fax: EmulatedFax) -> None:
        """Announce the end of an outbound fax, in the way that the scenario wants for it."""
        notice = self.completion(fax)
        if notice is None:
            return
        fault = fax.callback_fault
        if fault is None:
            self._spawn(self._overtake(notice))
            return
        self._stats.fault(f"callback {fault.kind}")
        if fault.kind == "out_of_order":
            self._hold(notice, fault.seconds)
        elif fault.kind == "late":
            self._later(fault.seconds, notice)
        elif fault.kind == "doubled":
            self.send(notice)
            self._later(fault.seconds, notice)

    def completion(self, fax: EmulatedFax) -> Notice | None:
        """The FAX_COMPLETED of a fax; None without a callback URL."""
        return self._notice(fax, "FAX_COMPLETED", with_file=True)

    def page_sent(self, fax: EmulatedFax) -> None:
        """Announce that a page went through."""
        notice = self._notice(fax, PAGE_EVENT, with_file=False)
        if notice is not None:
            self.send(notice)

    def _notice(self, fax: EmulatedFax, event: str, *, with_file: bool) -> Notice | None:
        if fax.callback_url is None:
            return None
        return Notice(
            event=event,
            event_time=rfc3339(self._clock.now_ms()),
            fax=fax,
            url=fax.callback_url,
            content_type=fax.callback_type,
            with_file=with_file,
        )

    def send(self, notice: Notice) -> None:
        """Deliver in the background, with redelivery."""
        self._spawn(self.deliver(notice))

    async def deliver(self, notice: Notice, tries: int = 0) -> None:
        """Try once; if that fails, set the next try."""
        status = await self._try(notice)
        notice.fax.callbacks.append((self._clock.now_ms(), status, notice.event))
        self._stats.callbacks_by_status[str(status)] += 1
        if status != 200 and tries < len(REDELIVERY_S):
            self._later(REDELIVERY_S[tries] / self._speed, notice, tries + 1)

    async def _try(self, notice: Notice) -> int:
        content_type, body = encode(notice, self._clock.now_ms())
        try:
            answer = await self._outbound.request(
                "POST",
                notice.url,
                timeout_s=self._timeout_s,
                headers={"Content-Type": content_type, "Accept": "*/*"},
                body=body,
            )
        except UnreachableError:
            return UNREACHABLE
        return answer.status

    def _hold(self, notice: Notice, seconds: float) -> None:
        """Keep back until another one has been delivered, at most for so many seconds."""
        self._held.append(notice)
        asyncio.get_running_loop().call_later(seconds, self._release, notice)

    async def _overtake(self, notice: Notice) -> None:
        """Deliver, and only then what was held back until now."""
        held = self._held[:]
        await self.deliver(notice)
        for earlier in held:
            self._release(earlier)

    def _release(self, notice: Notice) -> None:
        if notice in self._held:
            self._held.remove(notice)
            self.send(notice)

    def _later(self, seconds: float, notice: Notice, tries: int = 0) -> None:
        asyncio.get_running_loop().call_later(seconds, lambda: self._spawn(self.deliver(notice, tries)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._outbound.close()


def encode(notice: Notice, now_ms: int) -> tuple[str, tuple[bytes, ...]]:
    """The content type and the pieces of the body; the document's bytes are not copied."""
    if notice.content_type == "application/json":
        return "application/json", _json_body(notice, now_ms)
    return f"multipart/form-data; boundary={_BOUNDARY}", _multipart_body(notice, now_ms)


def _json_body(notice: Notice, now_ms: int) -> tuple[bytes, ...]:
    head = encode_json(
        {
            "event": notice.event,
            "eventTime": notice.event_time,
            "fax": view(notice.fax, now_ms),
        }
    )
    content = notice.fax.content if notice.with_file else None
    if content is None:
        return (head,)
    return (head[:-1] + b',"file":"', content.base64, b'","fileType":"PDF"}')


def _multipart_body(notice: Notice, now_ms: int) -> tuple[bytes, ...]:
    fields = {
        "event": notice.event.encode(),
        "eventTime": notice.event_time.encode(),
        "fax": encode_json(view(notice.fax, now_ms)),
    }
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in fields.items()
    ]
    content = notice.fax.content if notice.with_file else None
    if content is not None:
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{notice.fax.id}.pdf"'
            "\r\nContent-Type: application/pdf\r\n\r\n"
        )
        parts += [head.encode(), content.data, b"\r\n"]
    return (*parts, f"--{_BOUNDARY}--\r\n".encode())
