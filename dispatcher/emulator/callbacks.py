"""Callbacks: encoding in two content types, delivery, redelivery, and the faults of a scenario."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from dispatcher.emulator.clock import Clock, rfc3339
from dispatcher.emulator.faxes import EmulatedFax, view
from dispatcher.emulator.outbound import OutboundClient, UnreachableError
from dispatcher.emulator.responses import encode_json
from dispatcher.emulator.stats import Stats

#: seconds before each redelivery: 5, 10, 20, 30 minutes, then 12 times 6 hours
REDELIVERY_S = (300, 600, 1200, 1800, *(21_600,) * 12)
#: what the provider records instead of an HTTP status when it cannot reach the URL
UNREACHABLE = 800
#: the provider documents neither name nor fields of this event; this is the previous product's name, in capitals
PAGE_EVENT = "TRANSMITTING_PAGE"
_BOUNDARY = "----fax-emulator-9f2c41d7a6"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """An event about a fax, and the URL to deliver it to.

    Each delivery shows the fax as it is at that time.
    """

    event: str
    event_time: str
    fax: EmulatedFax
    url: str
    content_type: str
    with_file: bool = True


class CallbackSender:
    """Delivers callbacks.

    The delays before redelivery are divided by ``speed``. ``change`` returns the fields to send in place of the true
    ones, or another body.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        outbound: OutboundClient,
        stats: Stats,
        speed: float,
        timeout_s: float,
        change: Callable[[dict[str, Any]], dict[str, Any] | bytes],
    ) -> None:
        self._clock = clock
        self._outbound = outbound
        self._stats = stats
        self._speed = speed
        self._timeout_s = timeout_s
        self._change = change
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[Callback] = []

    def send_completed(self, fax: EmulatedFax) -> None:
        """Send the ``FAX_COMPLETED`` callback of an outbound fax, with the callback fault of its scenario."""
        callback = self.completed_callback(fax)
        if callback is None:
            return
        fault = fax.callback_fault
        if fault is None:
            self._spawn(self._deliver_before_held(callback))
            return
        self._stats.count_fault(f"callback {fault.kind}")
        if fault.kind == "out_of_order":
            self._hold(callback, fault.seconds)
        elif fault.kind == "late":
            self._deliver_later(fault.seconds, callback)
        elif fault.kind == "doubled":
            self.send(callback)
            self._deliver_later(fault.seconds, callback)

    def completed_callback(self, fax: EmulatedFax) -> Callback | None:
        """Create the ``FAX_COMPLETED`` callback of a fax; None if the fax has no callback URL."""
        return self._callback(fax, "FAX_COMPLETED", with_file=True)

    def send_page_sent(self, fax: EmulatedFax) -> None:
        """Send the callback for a transmitted page."""
        callback = self._callback(fax, PAGE_EVENT, with_file=False)
        if callback is not None:
            self.send(callback)

    def _callback(self, fax: EmulatedFax, event: str, *, with_file: bool) -> Callback | None:
        if fax.callback_url is None:
            return None
        return Callback(
            event=event,
            event_time=rfc3339(self._clock.now_ms()),
            fax=fax,
            url=fax.callback_url,
            content_type=fax.callback_type,
            with_file=with_file,
        )

    def send(self, callback: Callback) -> None:
        """Deliver a callback in the background, with redelivery."""
        self._spawn(self.deliver(callback))

    async def deliver(self, callback: Callback, redelivery: int = 0) -> None:
        """Deliver a callback once, record the status, and schedule the redelivery if it failed."""
        status = await self._post(callback)
        callback.fax.callbacks.append((self._clock.now_ms(), status, callback.event))
        self._stats.callbacks_by_status[str(status)] += 1
        if status != 200 and redelivery < len(REDELIVERY_S):
            self._deliver_later(REDELIVERY_S[redelivery] / self._speed, callback, redelivery + 1)

    async def _post(self, callback: Callback) -> int:
        now_ms = self._clock.now_ms()
        true_fields = {
            "event": callback.event,
            "eventTime": callback.event_time,
            "fax": view(callback.fax, now_ms),
        }
        fields = self._change(true_fields)
        content_type, body = (
            (callback.content_type, (fields,)) if isinstance(fields, bytes) else encode(callback, fields)
        )
        try:
            response = await self._outbound.request(
                "POST",
                callback.url,
                timeout_s=self._timeout_s,
                headers={"Content-Type": content_type, "Accept": "*/*"},
                body=body,
            )
        except UnreachableError:
            return UNREACHABLE
        return response.status

    def _hold(self, callback: Callback, seconds: float) -> None:
        """Hold a callback until another one has been delivered, but at most for ``seconds``."""
        self._held.append(callback)
        asyncio.get_running_loop().call_later(seconds, self._release, callback)

    async def _deliver_before_held(self, callback: Callback) -> None:
        """Deliver a callback, then release the callbacks that were held before it."""
        held = self._held[:]
        await self.deliver(callback)
        for earlier_callback in held:
            self._release(earlier_callback)

    def _release(self, callback: Callback) -> None:
        if callback in self._held:
            self._held.remove(callback)
            self.send(callback)

    def _deliver_later(self, seconds: float, callback: Callback, redelivery: int = 0) -> None:
        asyncio.get_running_loop().call_later(seconds, lambda: self._spawn(self.deliver(callback, redelivery)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel all deliveries and close the connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._outbound.close()


def encode(callback: Callback, fields: dict[str, Any] | bytes) -> tuple[str, tuple[bytes, ...]]:
    """Return the content type and the chunks of the body, which ``fields`` may already be.

    The bytes of the document are not copied.
    """
    if isinstance(fields, bytes):
        return callback.content_type, (fields,)
    if callback.content_type == "application/json":
        return "application/json", _json_body(callback, fields)
    return f"multipart/form-data; boundary={_BOUNDARY}", _multipart_body(callback, fields)


def _json_body(callback: Callback, fields: dict[str, Any]) -> tuple[bytes, ...]:
    head = encode_json(fields)
    content = callback.fax.content if callback.with_file else None
    if content is None:
        return (head,)
    return (head[:-1] + b',"file":"', content.base64, b'","fileType":"PDF"}')


def _multipart_body(callback: Callback, fields: dict[str, Any]) -> tuple[bytes, ...]:
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + (value.encode("utf-8", "replace") if isinstance(value, str) else encode_json(value))
        + b"\r\n"
        for name, value in fields.items()
    ]
    content = callback.fax.content if callback.with_file else None
    if content is not None:
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{callback.fax.id}.pdf"'
            "\r\nContent-Type: application/pdf\r\n\r\n"
        )
        parts += [head.encode(), content.data, b"\r\n"]
    return (*parts, f"--{_BOUNDARY}--\r\n".encode())
