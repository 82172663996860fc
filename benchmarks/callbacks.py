"""Measures callbacks with a 100 KB document per second. Compared with a bare receiver that uses the same parser."""

import base64
import json
import time
import urllib.request
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from benchmarks.bare_running import bare_server
from benchmarks.cluster import bench_cluster, credentials, draft
from benchmarks.errors import BenchFailed
from benchmarks.figures import Figure, Goal, medians
from benchmarks.letter import write_letter
from benchmarks.load import LoadResult, post, send_all
from benchmarks.recipients import write_csv
from benchmarks.setting import Setting
from dispatcher.client import Client
from dispatcher.local.cluster import LocalCluster

CALLBACKS = 3000
CONNECTIONS = 32
_DOCUMENT_BYTES = 100_000
_BOUNDARY = "----bench-3c1f5d"
_CONTENT_TYPES = {"JSON": "application/json", "multipart": f"multipart/form-data; boundary={_BOUNDARY}"}
_WITHIN_S = 300.0
#: calls last for hours: this benchmark sends the callbacks
_EMULATOR = ("--speed", "0.001")
#: all batches have the same numbers, so a number may be called again at once
_POLICY = '[times]\nnumber_distance = "1ms"\n'
_LOOK_S = 0.1

Fax = dict[str, Any]


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    each = setting.size(CALLBACKS, minimum=100)
    folder = setting.new_folder("callbacks")
    document = write_letter(folder / "letter.pdf", _DOCUMENT_BYTES).read_bytes()
    runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in _CONTENT_TYPES}
    (folder / "policy.toml").write_text(_POLICY)
    env = {"BULKFAX_SINCH__RATE_PER_SECOND": "2000", "BULKFAX_POLICY_FILE": str(folder / "policy.toml")}
    with (
        bench_cluster(folder, emulator_options=_EMULATOR, settings=env) as cluster,
        cluster.client() as client,
        bare_server(folder) as bare,
    ):
        for run_number in range(setting.runs):
            for kind in _CONTENT_TYPES:
                batch = _accepted_batch(cluster, client, f"{run_number} {kind}", each)
                run = _run(cluster, client, batch, bare, kind, document)
                runs[kind].append(run)
                setting.say(f"  {kind}: " + ", ".join(f"{name} {value:,.0f}/s" for name, value in run.items()))
    return [figure for kind, each_run in runs.items() for figure in _figures(kind, medians(each_run))]


def _figures(kind: str, middle: dict[str, float]) -> list[Figure]:
    return [
        Figure(
            bench="callbacks",
            figure=f"{kind} with 100 KB: {name}",
            value=middle[name],
            unit="callbacks/s",
            against=f"bare receiver: {middle['bare']:,.0f} callbacks/s",
            ratio=middle[name] / middle["bare"],
            goal=Goal(min_value=0.5, of="ratio"),
        )
        for name in ("accepted", "settled")
    ]


def _accepted_batch(cluster: LocalCluster, client: Client, name: str, jobs: int) -> str:
    """Start a batch, wait until the provider has accepted all its faxes, and return its id."""
    path = cluster.folder / "recipients.csv"
    write_csv(path, jobs)
    batch = draft(client, name, path)
    client.start(batch.id, allow_repeat=True)
    cluster.wait(lambda: client.batch(batch.id).counts["accepted"] == batch.rows, _WITHIN_S, "not all faxes were sent")
    return batch.id


def _run(cluster: LocalCluster, client: Client, batch: str, bare: str, kind: str, document: bytes) -> dict[str, float]:
    faxes = [fax for fax in _faxes(cluster) if fax["labels"]["bulkfax-job"].startswith(f"{batch}.")]
    bare_result = _ensure_successful(
        send_all(bare, _requests(faxes, kind, document, cluster.url, bare), CONNECTIONS), len(faxes)
    )
    began_s = time.perf_counter()
    result = _ensure_successful(send_all(cluster.url, _requests(faxes, kind, document), CONNECTIONS), len(faxes))
    while not client.batch(batch).ended:
        if time.perf_counter() - began_s > _WITHIN_S:
            raise BenchFailed(f"not all callbacks were settled within {_WITHIN_S:.0f} s")
        time.sleep(_LOOK_S)
    settled = len(faxes) / (time.perf_counter() - began_s)
    return {"bare": bare_result.per_second, "accepted": result.per_second, "settled": settled}


def _ensure_successful(result: LoadResult, expected: int) -> LoadResult:
    if result.successful != expected:
        raise BenchFailed(f"{result.successful:,} of {expected:,} callbacks were accepted: {dict(result.statuses)}")
    return result


def _faxes(cluster: LocalCluster) -> Iterator[Fax]:
    """Yield all faxes of the emulator, as its API returns them."""
    authorization = base64.b64encode(":".join(credentials(cluster)).encode()).decode()
    for page in count(1):
        url = f"{cluster.faxes_url}?pageSize=1000&page={page}"
        request = urllib.request.Request(url, headers={"Authorization": f"Basic {authorization}"})
        with urllib.request.urlopen(request, timeout=60) as response:
            faxes = json.load(response)["faxes"]
        if not faxes:
            return
        yield from faxes


def _requests(faxes: Sequence[Fax], kind: str, document: bytes, base: str = "", bare: str = "") -> Iterator[bytes]:
    """Yield a callback request for each fax. ``bare`` replaces the URL ``base`` by that of the bare receiver."""
    encode = {"JSON": _json_body, "multipart": _multipart_body}[kind]
    encoded = base64.b64encode(document) if kind == "JSON" else document
    for fax in faxes:
        url = fax["callbackUrl"].replace(base, bare) if bare else fax["callbackUrl"]
        yield post(url, encode(_completed(fax), encoded), content_type=_CONTENT_TYPES[kind])


def _completed(fax: Fax) -> Fax:
    pages = fax["numberOfPages"]
    return {**fax, "status": "COMPLETED", "pagesSentSuccessfully": pages, "completedTime": fax["createTime"]}


def _json_body(fax: Fax, encoded: bytes) -> bytes:
    head = json.dumps({"event": "FAX_COMPLETED", "eventTime": fax["createTime"], "fax": fax}).encode()
    return b"".join((head[:-1], b',"file":"', encoded, b'","fileType":"PDF"}'))


def _multipart_body(fax: Fax, document: bytes) -> bytes:
    fields = {"event": "FAX_COMPLETED", "eventTime": fax["createTime"], "fax": json.dumps(fax)}
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="fax.pdf"\r\n'
        "Content-Type: application/pdf\r\n\r\n"
    )
    return b"".join((*parts, head.encode(), document, f"\r\n--{_BOUNDARY}--\r\n".encode()))
