"""What ``helm test`` runs in the image: web must be ready, the record sound, and with the emulator, a fax arrive."""

import os
import subprocess
import sys

from dispatcher.client import Client, NewFax
from dispatcher.example_files import EXAMPLES

#: a fictional number; only the emulator is ever asked to call it
NUMBER = "+12025550100"


def main() -> int:
    """Return 0 if the release works, otherwise 1 after a sentence on standard error."""
    key = os.environ["BULKFAX_API_KEYS"].split(",")[0].strip()
    with Client(os.environ["BULKFAX_API_URL"], key) as client:
        readiness = client.ready()
        if not readiness.ready:
            return fail(f"web is not ready: {readiness.reason}")
        if os.environ.get("SEND_A_FAX"):
            letter = client.upload_document(EXAMPLES / "letter.pdf")
            job = client.send_fax(NewFax(to=NUMBER, documents=(letter.id,), allow_repeat=True))
            counts = client.wait(job.batch, timeout_s=240).counts
            if not counts["delivered"]:
                return fail(f"the fax did not arrive: bulkfax jobs show {job.id}")
            print("a fax was sent and delivered", flush=True)
    return subprocess.run(["bulkfax", "doctor"], check=False).returncode  # noqa: S607  # on the path of the image


def fail(reason: str) -> int:
    """Print a reason and return 1."""
    print(reason, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
