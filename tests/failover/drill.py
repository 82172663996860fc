"""One failover drill: send, let a server take over, accept the loss, and compare with the provider's ledger.

No process of bulkfax is restarted, so that those live that have seen the highest write epoch.
"""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from dispatcher.client import Batch, Client, ClientError, NewBatch, NotFound
from dispatcher.local.cluster import LocalCluster
from dispatcher.local.doctor import examine_store
from dispatcher.local.fictional_numbers import fictional_numbers
from dispatcher.local.ledger import JOB_LABEL, OurJob, compare
from dispatcher.local.services import PROGRAM
from tests.chaos.errors import DrillFailed
from tests.failover.cases import Failover, Stage, open_stage

EXAMPLES = Path(__file__).parents[2] / "examples"
#: faxes per second, and what divides the length of calls
RATE, _SPEED = 30, 20
#: jobs of the mailing that is accepted shortly before the failover
_LATE_JOBS = 20
#: seconds of sending before anything happens, and seconds that the whole drill may take
_LEAD_S, _LIMIT_S = 3.0, 240.0
_ATTEMPT_LABEL = "bulkfax-attempt"
_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """What a failover did, by the emulator's ledger and by what bulkfax says."""

    case: Failover
    wait_replicas: int
    jobs: int
    #: longest time between two faxes that the provider accepted, an operator's consent included
    standstill_s: float
    #: faxes that the jobs had lost and got back
    adopted: int
    #: jobs of accepted mailings that are gone or not final; those of them whose loss bulkfax reports
    lost: int
    lost_reported: int
    #: jobs with two faxes by the ledger, and by the batches
    doubled: int
    doubled_reported: int
    #: attempts with two faxes by the ledger, and by ``bulkfax doctor --provider``
    twice: int
    twice_reported: int
    #: faxes of no job by the ledger, and by the account
    unknown: int
    unknown_reported: int
    wrong_state: int
    #: what ``bulkfax doctor`` finds wrong
    findings: tuple[str, ...] = ()

    @property
    def faults(self) -> list[str]:
        """What must not be, each in a sentence."""
        may_lose = self.case is Failover.STALE or not self.wait_replicas
        pairs = {
            "lost": (self.lost, self.lost_reported),
            "doubled": (self.doubled, self.doubled_reported),
            "accepted twice": (self.twice, self.twice_reported),
            "unknown": (self.unknown, self.unknown_reported),
        }
        return [
            *(f"{real} {name}, and {said} are reported" for name, (real, said) in pairs.items() if real != said),
            *([f"{self.doubled} doubled"] if self.doubled else []),
            *([f"{self.lost} lost"] if self.lost and not may_lose else []),
            *([f"{self.wrong_state} in a wrong state"] if self.wrong_state else []),
            *self.findings,
        ]

    def line(self) -> dict[str, Any]:
        """Return the result for ``--json``."""
        return {**asdict(self), "faults": self.faults}


def run_drill(case: Failover, wait_replicas: int, jobs: int, folder: Path) -> DrillResult:
    """Run one drill in an empty folder. Raises DrillFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    with open_stage(case, folder) as stage, _services(folder, stage, wait_replicas) as local, local.client() as client:
        drill = _Drill(local, client, folder, jobs)
        drill.fail_over(stage)
        drill.wait_until_ended()
        return drill.result(case, wait_replicas)


def _services(folder: Path, stage: Stage, wait_replicas: int) -> LocalCluster:
    settings = {
        **stage.settings,
        "BULKFAX_REDIS_WAIT_REPLICAS": str(wait_replicas),
        "BULKFAX_SINCH__RATE_PER_SECOND": str(RATE),
        "BULKFAX_POLICY_FILE": str(EXAMPLES / "fast-policy.toml"),
        "BULKFAX_LOG_FORMAT": "json",
    }
    options = ["--rate", str(RATE), "--speed", str(_SPEED)]
    return LocalCluster(folder, emulator_options=options, settings=settings, restarts=False)


@dataclass(slots=True)
class _Mailing:
    """A mailing that was accepted: its start was answered."""

    batch: str
    jobs: int
    accepted_s: float


@dataclass(slots=True)
class _Drill:
    local: LocalCluster
    client: Client
    folder: Path
    jobs: int
    _mailings: list[_Mailing] = field(default_factory=list)
    _end_s: float = field(default_factory=lambda: time.monotonic() + _LIMIT_S)

    def fail_over(self, stage: Stage) -> None:
        """Send a mailing, accept another one shortly before the failover, and let a server take over."""
        numbers = list(islice(fictional_numbers(), self.jobs))
        first, late = numbers[:-_LATE_JOBS], numbers[-_LATE_JOBS:]
        document = self.client.upload_document(EXAMPLES / "letter.pdf").id
        self._send("first", first, document)
        self._wait(lambda: self.local.emulator_api.stats()["accepted"] > RATE * _LEAD_S, "the first faxes are sent")
        stage.cut()
        producer = threading.Thread(target=self._send, args=("late", late, document), daemon=True)
        producer.start()
        time.sleep(stage.behind_s)
        if not stage.behind_s:
            producer.join(_LEAD_S)
        stage.fail_over()
        producer.join(max(1.0, self._end_s - time.monotonic()))

    def wait_until_ended(self) -> None:
        """Accept each loss of writes, and wait until all batches and calls have ended."""
        self._wait(self._has_ended, "all batches have ended")
        self._wait(lambda: self.local.emulator_api.stats()["unfinished"] == 0, "all calls have ended")

    def result(self, case: Failover, wait_replicas: int) -> DrillResult:
        lines = self.local.emulator_api.ledger_lines()
        faxes = self.local.emulator_api.ledger()
        batches = {mailing.batch: self._batch(mailing.batch) for mailing in self._mailings}
        jobs = [job for name, batch in batches.items() if batch for job in self.client.jobs(name)]
        comparison = compare([OurJob(id=job.id, number=job.number or "", state=job.state) for job in jobs], faxes)
        gone = [mailing for mailing in self._mailings if batches[mailing.batch] is None]
        rollback = self.client.account().rollback
        since_s = rollback.since.timestamp() if rollback and rollback.since else time.time()
        reported = [mailing for mailing in gone if since_s <= mailing.accepted_s]
        attempts = Counter((line["labels"].get(JOB_LABEL), line["labels"].get(_ATTEMPT_LABEL)) for line in lines)
        times_ms = sorted(fax.accepted_ms for fax in faxes)
        return DrillResult(
            case=case,
            wait_replicas=wait_replicas,
            jobs=self.jobs,
            standstill_s=round(max(later - earlier for earlier, later in pairwise(times_ms)) / 1000, 1),
            adopted=rollback.adopted if rollback else 0,
            lost=len(comparison.lost) + sum(mailing.jobs for mailing in gone),
            lost_reported=sum(mailing.jobs for mailing in reported),
            doubled=len(comparison.doubled),
            doubled_reported=sum(batch.doubled for batch in batches.values() if batch),
            twice=sum(count > 1 for count in attempts.values()),
            twice_reported=self._accepted_twice(),
            unknown=len(comparison.strays),
            unknown_reported=rollback.unknown if rollback else 0,
            wrong_state=len(comparison.wrong_state),
            findings=examine_store(self.local)[1],
        )

    def _send(self, name: str, numbers: Sequence[str], document: str) -> None:
        """Send a mailing. The client repeats what is refused; what cannot be repeated was not accepted."""
        path = self.folder / f"{name}.csv"
        path.write_text("\n".join(["fax", *numbers, ""]))
        with self.local.client(patience_s=_LIMIT_S / 2) as client:
            try:
                batch = client.create_batch(NewBatch(name=name, documents=(document,)), key=f"{name}-batch").id
                client.upload_recipients(batch, path, key=f"{name}-list")
                client.start(batch, allow_repeat=True)
            except ClientError:
                return
        self._mailings.append(_Mailing(batch, len(numbers), time.time()))

    def _batch(self, batch: str) -> Batch | None:
        try:
            return self.client.batch(batch)
        except NotFound:
            return None

    def _has_ended(self) -> bool:
        rollback = self.client.account().rollback
        if rollback and not rollback.accepted_at:
            self.client.resume_account(accept_rollback=True)
        if rollback and not rollback.resumed_at:
            return False
        batches = [self._batch(mailing.batch) for mailing in self._mailings]
        return all(batch is None or batch.ended for batch in batches)

    def _accepted_twice(self) -> int:
        """Return the number of attempts that ``bulkfax doctor --provider`` reports as accepted twice."""
        command = [*PROGRAM, "doctor", "--provider", "--hours", "1", "--json"]
        ran = subprocess.run(
            command, env=self.local.env, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        findings = json.loads(ran.stdout.splitlines()[-1])["findings"]
        (text,) = [finding["text"] for finding in findings if finding["check"] == "provider"]
        return int(text.split()[0].replace(",", "")) if "accepted twice" in text else 0

    def _wait(self, is_so: Any, what: str) -> None:
        while not is_so():
            if time.monotonic() > self._end_s:
                raise DrillFailed(f"it is not so after {_LIMIT_S:.0f} s that {what}")
            time.sleep(_POLL_S)
