"""A worker starts quickly: it imports nothing that sending does not need."""

import os
import subprocess
import sys

#: the command, with a supervisor that only prints the imported modules
CODE = """
import sys
import dispatcher.cli.services as services
use_redis = services._use_redis
def print_modules():
    import workers.supervisor
    workers.supervisor.Supervisor.run = lambda self: print(*{name.partition(".")[0] for name in sys.modules})
    return use_redis()
services._use_redis = print_modules
sys.argv = ["bulkfax", "worker"]
from dispatcher.cli.main import run
run()
"""
NOT_NEEDED = {
    *("pikepdf", "pypdfium2", "PIL", "phonenumbers", "fastapi", "starlette", "uvicorn", "prometheus_client"),
    *("typer", "rich", "click", "pygments", "opentelemetry"),
}


def test_a_worker_imports_nothing_that_sending_does_not_need() -> None:
    environment = os.environ | {"BULKFAX_REDIS_URL": "redis://127.0.0.1:1"}
    ran = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    imported = set(ran.stdout.split())
    assert {"dramatiq", "aiohttp", "redis"} <= imported
    assert imported & NOT_NEEDED == set()
