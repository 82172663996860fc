"""Runs ``bulkfax doctor`` on the store of a cluster."""

import json
import subprocess

from dispatcher.local.cluster import LocalCluster
from dispatcher.local.services import PROGRAM

_TIMEOUT_S = 120.0


def examine_store(cluster: LocalCluster) -> tuple[bool, tuple[str, ...]]:
    """Run ``bulkfax doctor`` as a process, and return whether all is well and what it found wrong."""
    done = subprocess.run(  # noqa: S603  # our own command
        [*PROGRAM, "doctor", "--json"],
        env=cluster.env,
        cwd=cluster.folder,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return False, (done.stderr.strip() or f"doctor ended with status {done.returncode} and said nothing",)
    return answer["ok"], tuple(finding["text"] for finding in answer["findings"] if not finding["ok"])
