"""``python -m benchmarks.peers.enqueue dramatiq|celery ROWS``: enqueues one message for each row.

Prints one line: {"seconds": ...}.
"""

import json
import sys
import time

from benchmarks.recipients import rows


def main() -> None:
    """Enqueue the messages, and print the seconds that this took."""
    library, count = sys.argv[1], int(sys.argv[2])
    if library == "dramatiq":
        from benchmarks.peers.dramatiq_fax import send_fax

        send = send_fax.send
    else:
        from benchmarks.peers.celery_fax import send_fax as task

        send = task.delay
    began_s = time.perf_counter()
    for row in rows(count):
        send(row.number, row.reference, row.name)
    print(json.dumps({"seconds": time.perf_counter() - began_s}))


if __name__ == "__main__":
    main()
