"""A task for child processes that does what its first argument says."""

import json
import os
import resource
import time
from pathlib import Path
from typing import IO


def run(source: IO[bytes], output: IO[bytes], deed: str = "look", *arguments: str) -> None:
    match deed:
        case "look":
            output.write(json.dumps(surroundings(source, arguments)).encode())
        case "sleep":
            output.write(b"{}")
            output.flush()
            time.sleep(60)
        case "burn":
            while True:
                pass
        case "eat":
            bytearray(2**31)
        case "write":
            output.write(b"x" * 10_000_000)
        case "raise":
            raise ValueError("+1 202 555 0100")
        case "die":
            os.abort()


def surroundings(source: IO[bytes], arguments: tuple[str, ...]) -> dict[str, object]:
    return {
        "input": source.read().decode(),
        "arguments": arguments,
        "environment": [name for name in os.environ if name != "LC_CTYPE"],
        "folder": str(Path.cwd()),
        "descriptors": sorted(int(file.name) for file in Path("/proc/self/fd").iterdir() if int(file.name) > 2),
        "priority": os.nice(0),
        "session": os.getsid(0) == os.getpid(),
        "limits": [
            resource.getrlimit(limit)
            for limit in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)
        ],
    }
