"""Measures the small faxes per second that the emulator accepts: it must not be the bottleneck of other benchmarks."""

import asyncio
import base64
import json
from collections.abc import Iterator
from itertools import islice
from typing import cast

import uvloop

from benchmarks.bare_running import bare_server
from benchmarks.cluster import bench_cluster, cluster_cpu_s, credentials
from benchmarks.errors import BenchFailed
from benchmarks.figures import Figure, Goal, medians
from benchmarks.letter import write_letter
from benchmarks.load import LoadResult, post, send_all_async
from benchmarks.recipients import rows
from benchmarks.setting import Setting
from dispatcher.local.cluster import LocalCluster

FAXES, IN_FLIGHT = 20_000, 1000
_DOCUMENT_BYTES = 2000
#: a fax takes about a second
_EMULATOR = ("--latency", "0.05", "--speed", "6")
_WITHIN_S = 60.0
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_HEADERS_END = b"\r\n\r\n"


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    faxes = setting.size(FAXES, minimum=2 * IN_FLIGHT)
    letter = base64.b64encode(write_letter(setting.folder / "small.pdf", _DOCUMENT_BYTES).read_bytes()).decode()
    runs = []
    for _ in range(setting.runs):
        run = _emulator(setting, faxes, letter) | {"bare": _bare(setting, faxes, letter)}
        runs.append(run)
        setting.say("  " + ", ".join(f"{name} {value:.4g}" for name, value in run.items()))
    middle = medians(runs)
    rate, bare = middle["rate"], middle["bare"]
    against = f"bare Starlette that waits 50 ms: {bare:,.0f} posts/s"
    return [
        Figure(
            bench="emulator",
            figure="faxes taken, callbacks on",
            value=rate,
            unit="posts/s",
            against=against,
            ratio=rate / bare,
            goal=Goal(min_value=1000),
        ),
        Figure(
            bench="emulator",
            figure="processor, callback included",
            value=middle["cpu"],
            unit="ms/fax",
            against=against,
            ratio=rate / bare,
        ),
    ]


def _emulator(setting: Setting, faxes: int, letter: str) -> dict[str, float]:
    with bench_cluster(setting.new_folder("emulator"), services=(), emulator_options=_EMULATOR) as cluster:
        before_s = cluster_cpu_s(cluster, "emulator")
        result = uvloop.run(_with_sink(cluster, faxes, letter))
        return {"rate": result.per_second, "cpu": (cluster_cpu_s(cluster, "emulator") - before_s) / faxes * 1000}


def _bare(setting: Setting, faxes: int, letter: str) -> float:
    with bare_server(setting.new_folder("bare")) as url:
        requests = _requests(f"{url}/faxes", faxes, letter, "http://127.0.0.1:9/callback", "")
        return _ensure_successful(uvloop.run(send_all_async(url, requests, IN_FLIGHT)), faxes).per_second


async def _with_sink(cluster: LocalCluster, faxes: int, letter: str) -> LoadResult:
    """Send all faxes and wait for all their callbacks."""
    sink = CallbackSink()
    server = await asyncio.get_running_loop().create_server(lambda: _SinkConnection(sink), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    authorization = "Basic " + base64.b64encode(":".join(credentials(cluster)).encode()).decode()
    requests = _requests(cluster.faxes_url, faxes, letter, f"http://127.0.0.1:{port}/callback", authorization)
    result = _ensure_successful(await send_all_async(cluster.emulator_url, requests, IN_FLIGHT), faxes)
    async with asyncio.timeout(_WITHIN_S):
        await sink.wait_for(faxes)
    server.close()
    sink.close()
    await server.wait_closed()
    return result


def _ensure_successful(result: LoadResult, expected: int) -> LoadResult:
    if result.successful != expected:
        raise BenchFailed(f"{result.successful:,} of {expected:,} faxes were accepted: {dict(result.statuses)}")
    return result


def _requests(url: str, faxes: int, letter: str, callback_url: str, authorization: str) -> Iterator[bytes]:
    for index, row in enumerate(islice((row for row in rows(2 * faxes) if len(row.number) > 9), faxes)):
        fax = {
            "to": row.number,
            "files": [{"file": letter, "fileType": "PDF"}],
            "maxRetries": 0,
            "labels": {"reference": row.reference},
            "callbackUrl": f"{callback_url}/{index}",
            "callbackUrlContentType": "application/json",
        }
        yield post(url, json.dumps(fax).encode(), content_type="application/json", authorization=authorization)


class CallbackSink:
    """Counts callbacks over all its connections."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = asyncio.Event()
        self._transports: list[asyncio.WriteTransport] = []

    def add_connection(self, transport: asyncio.WriteTransport) -> None:
        """Add a connection, which ``close`` closes."""
        self._transports.append(transport)

    def close(self) -> None:
        """Close all connections."""
        for transport in self._transports:
            transport.close()

    def add(self) -> None:
        """Count a callback."""
        self.count += 1
        self._changed.set()

    async def wait_for(self, count: int) -> None:
        """Wait until ``count`` callbacks have arrived."""
        while self.count < count:
            self._changed.clear()
            await self._changed.wait()


class _SinkConnection(asyncio.Protocol):
    """Answers every request with 200 when its body is complete."""

    def __init__(self, sink: CallbackSink) -> None:
        self._sink = sink
        self._data = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's transport is no subclass
        self._sink.add_connection(self._transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._data += data
        while (end := self._end_of_request()) is not None:
            del self._data[:end]
            self._sink.add()
            self._transport.write(_OK)

    def _end_of_request(self) -> int | None:
        head = self._data.find(_HEADERS_END)
        if head < 0:
            return None
        _, _, length = bytes(self._data[:head]).lower().partition(b"content-length:")
        end = head + len(_HEADERS_END) + int(length.partition(b"\r\n")[0] or 0)
        return end if len(self._data) >= end else None
